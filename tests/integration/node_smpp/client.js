// A client made of npm's smpp: binds to the port given, submits, waits for a delivery, unbinds; JSON lines tell it.
const smpp = require("smpp");

const say = (what) => console.log(JSON.stringify(what));
const session = smpp.connect({ host: "127.0.0.1", port: Number(process.argv[2]) });
const to = { source_addr: "Node", destination_addr: "33612345678", registered_delivery: 1 };
const submits = [
  { ...to, short_message: "Price @ 5 \u20ac" },
  { ...to, short_message: "\u4f60\u597d" },
  { ...to, esm_class: 0x40, short_message: { udh: Buffer.from("050003070201", "hex"), message: "part one" } },
  { ...to, message_payload: "p".repeat(1000) },
  { ...to, short_message: "refuse me" },
];

session.on("error", (error) => say({ event: "error", text: String(error) }));
session.on("close", () => say({ event: "closed" }));
session.on("deliver_sm", (pdu) => {
  say({
    event: "delivered",
    esm_class: pdu.esm_class,
    id: pdu.receipted_message_id,
    state: pdu.message_state,
    text: pdu.short_message.message,
  });
  session.send(pdu.response(), () =>
    session.query_sm({ message_id: "1" }, (answer) => {
      say({ event: "queried", status: answer.command_status });
      session.enquire_link((alive) => {
        say({ event: "alive", status: alive.command_status });
        session.unbind((bye) => say({ event: "unbound", status: bye.command_status }));
      });
    })
  );
});
session.on("connect", () => {
  session.submit_sm({ ...to, short_message: "too early" }, (early) => {
    say({ event: "early", status: early.command_status });
    session.bind_transceiver({ system_id: "node", password: "secret" }, (bound) => {
      say({ event: "bound", status: bound.command_status, system_id: bound.system_id, version: bound.sc_interface_version });
      for (const submit of submits) {
        session.submit_sm(submit, (answer) =>
          say({ event: "answered", status: answer.command_status, id: answer.message_id || null })
        );
      }
    });
  });
});
