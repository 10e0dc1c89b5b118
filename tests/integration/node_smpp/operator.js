// An operator made of npm's smpp: says what it got as JSON lines, sends a receipt for every message.
const smpp = require("smpp");

const say = (what) => console.log(JSON.stringify(what));

const server = smpp.createServer((session) => {
  let count = 0;
  session.on("error", (error) => say({ event: "error", text: String(error) }));
  session.on("bind_transceiver", (pdu) => {
    const ok = pdu.system_id === "carillon" && pdu.password === "secret";
    say({ event: "bind", system_id: pdu.system_id, system_type: pdu.system_type, version: pdu.interface_version });
    const status = ok ? smpp.ESME_ROK : smpp.ESME_RINVPASWD;
    session.send(pdu.response({ command_status: status, system_id: "node" }));
  });
  session.on("submit_sm", (pdu) => {
    count += 1;
    const id = "N" + count;
    const body = pdu.short_message;
    say({
      event: "submit",
      source: pdu.source_addr,
      dest: pdu.destination_addr,
      esm_class: pdu.esm_class,
      data_coding: pdu.data_coding,
      registered: pdu.registered_delivery,
      udh: body.udh ? Buffer.concat(body.udh).toString("hex") : null,
      text: Buffer.isBuffer(body.message) ? body.message.toString("hex") : body.message,
      tlv: pdu.user_message_reference === undefined ? null : pdu.user_message_reference,
    });
    if (pdu.destination_addr === "throttle") {
      session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
      return;
    }
    const receipt = () =>
      session.deliver_sm(
        {
          source_addr: pdu.destination_addr,
          destination_addr: pdu.source_addr,
          esm_class: 4,
          short_message: Buffer.from(`id:${id} sub:001 dlvrd:001 stat:DELIVRD err:000 text:`),
          receipted_message_id: id,
          message_state: 2,
        },
        (answer) => say({ event: "acknowledged", id, status: answer.command_status })
      );
    if (pdu.destination_addr === "early") receipt();
    session.send(pdu.response({ message_id: id }));
    if (pdu.destination_addr !== "early") receipt();
  });
  session.on("enquire_link", (pdu) => {
    say({ event: "enquire" });
    session.send(pdu.response());
  });
  session.on("unbind", (pdu) => {
    say({ event: "unbind" });
    session.send(pdu.response(), () => session.close());
  });
});
server.listen(0, "127.0.0.1", () => say({ event: "listening", port: server.address().port }));
