"""One page for people: handsets, what they got, which number does what. Rendered here, works without JavaScript."""

from html import escape
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from carillon.runtime.clock import rfc3339
from carillon.smpp import PduError
from carillon.sms.segments import MAX_PARTS, ContentInvalid
from simulator.domain.callback_log import Callback, CallbackLog
from simulator.domain.fates import RULES
from simulator.domain.reading import Shown
from simulator.inbound import InboundDesk, NobodyBoundError
from simulator.view import View

_ROWS = 50

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --mark: #0a5a4e; }
@media (prefers-color-scheme: dark) { :root { --mark: #a5efdf; } }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem; }
h1 { font-size: 1.3rem; margin: 0 0 .25rem; } h2 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
a { color: var(--mark); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; padding-bottom: .4rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
td.text { overflow-wrap: anywhere; white-space: pre-wrap; min-width: 14rem; }
td.short { font-variant-numeric: tabular-nums; white-space: nowrap; }
dl { display: flex; flex-wrap: wrap; gap: .5rem 1.75rem; margin: .75rem 0; }
dt { font-size: .8rem; } dd { margin: 0; font-weight: 600; }
form { display: grid; gap: .5rem; max-width: 30rem; background: var(--soft); padding: .75rem; border-radius: .4rem; }
label { display: grid; gap: .15rem; } input, textarea, button { font: inherit; padding: .35rem .5rem; }
"""


def page_routes(desk: InboundDesk, view: View, log: CallbackLog) -> APIRouter:
    """`/simulator/` and the form of its handsets."""
    router = APIRouter(prefix="/simulator", include_in_schema=False, default_response_class=HTMLResponse)

    @router.get("/")
    async def page(number: str = "", told: str = "") -> HTMLResponse:
        return HTMLResponse(_handset_page(view, number, told) if number else _front_page(view, log))

    @router.post("/reply")
    async def reply(
        sender: Annotated[str, Form()], to: Annotated[str, Form()], text: Annotated[str, Form()] = ""
    ) -> RedirectResponse:
        told = await _reply(desk, sender, to, text)
        return RedirectResponse(f"/simulator/?number={quote(sender)}&told={quote(told)}", status_code=303)

    return router


async def _reply(desk: InboundDesk, sender: str, to: str, text: str) -> str:
    try:
        statuses = await desk.send(sender, to.strip(), text, None)
    except NobodyBoundError:
        return "Not sent: no client is bound."
    except TimeoutError:
        return "Sent, and not acknowledged yet."
    except (ContentInvalid, PduError) as error:
        return f"Not sent: {error}."
    return "The client refused it." if any(statuses) else "Sent, and the client has it."


def _front_page(view: View, log: CallbackLog) -> str:
    handsets = view.handsets(_ROWS)
    return _html(
        "Simulated operator",
        _stats(view.stats())
        + "<h2>Handsets</h2>"
        + _table(
            "The newest message of each, the last to receive first.",
            ("Number", "Accepted", *_MESSAGE_HEADS),
            [(_td(_link(number)), _td(str(count)), *_message_cells(latest)) for number, count, latest in handsets],
            "Nothing was received yet.",
        )
        + "<h2>What a number does</h2>"
        + _table(
            "By its last four digits; all others are delivered.",
            ("Ending", "Meaning"),
            [(_td(f"<code>…{rule.ending}</code>"), _td(escape(rule.meaning))) for rule in RULES],
            "",
        )
        + "<h2>Callbacks</h2>"
        + _table(
            "Send yours to <code>/simulator/callbacks</code>; <code>/simulator/callbacks/503-any</code> answers 503.",
            ("Time", "Name", "Message", "Status", "Call"),
            [_callback_cells(call) for call in log.newest(_ROWS)],
            "None came yet.",
        ),
        refresh=True,
    )


def _handset_page(view: View, number: str, told: str) -> str:
    messages = view.handset(number, MAX_PARTS)[:_ROWS]
    to = messages[0].sender if messages else ""
    return _html(
        f"Handset {number}",
        f'<p><a href="/simulator/">All handsets</a></p><p role="status">{escape(told)}</p>'
        + _table(
            "Newest first.", _MESSAGE_HEADS, [_message_cells(shown) for shown in messages], "Nothing was received yet."
        )
        + f"""<h2>Write from this handset</h2>
<form method="post" action="/simulator/reply">
<input type="hidden" name="sender" value="{escape(number)}">
<label>To <input name="to" value="{escape(to)}" required maxlength="20"></label>
<label>Text <textarea name="text" rows="3" required></textarea></label>
<button>Send</button>
</form>""",
    )


_MESSAGE_HEADS = ("From", "Text", "Encoding", "Parts", "Status", "Received")


def _message_cells(shown: Shown) -> tuple[str, ...]:
    return (
        _td(escape(shown.sender)),
        _td(escape(shown.text), "text"),
        _td(escape(shown.encoding)),
        _td(f"{shown.parts}/{shown.parts_total}"),
        _td(escape(shown.status)),
        _td(_time(shown.received_ms)),
    )


def _callback_cells(call: Callback) -> tuple[str, ...]:
    message_id, status = call.receipts[0] if call.receipts else ("", "")
    more = f" and {len(call.receipts) - 1} more" if len(call.receipts) > 1 else ""
    return (
        _td(_time(call.received_ms)),
        _td(escape(call.name)),
        _td(escape(message_id + more)),
        _td(escape(status)),
        _td(f"{escape(call.method)} {escape(call.query or call.body[:200])}", "text"),
    )


def _stats(stats: dict[str, object]) -> str:
    names = ("submits", "accepted", "duplicates", "throttled", "refused", "receipts_made", "receipts_acked", "tps_peak")
    pairs = [(name.replace("_", " "), str(stats[name])) for name in names]
    binds = stats["binds"]
    if isinstance(binds, dict):
        pairs += [(f"binds of {escape(name)}", str(count)) for name, count in binds.items()]
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs) + "</dl>"


def _table(caption: str, heads: tuple[str, ...], rows: list[tuple[str, ...]], empty: str) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    body = body or f'<tr><td colspan="{len(heads)}">{empty}</td></tr>'
    return (
        f'<div class="scroll" tabindex="0"><table><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _td(content: str, kind: str = "short") -> str:
    return f'<td class="{kind}">{content}</td>'


def _link(number: str) -> str:
    return f'<a href="/simulator/?number={quote(number)}">{escape(number)}</a>'


def _time(millis: int) -> str:
    moment = rfc3339(millis)
    return f'<time datetime="{moment}">{moment[11:19]}</time>'


def _html(title: str, body: str, *, refresh: bool = False) -> str:
    again = '<meta http-equiv="refresh" content="5">' if refresh else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>{again}<style>{_STYLE}</style></head>
<body><main><h1>{escape(title)}</h1>{body}</main></body></html>
"""
