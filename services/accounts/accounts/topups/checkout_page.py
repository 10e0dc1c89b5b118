"""The test provider's checkout page: `/test-checkout/{id}`, plain HTML that works without a script."""

from html import escape
from typing import Annotated, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from accounts.topups.cards import CONFIRM, DECLINED, SUCCESS, fate_of
from accounts.topups.embedded import PATH, EmbeddedProvider, PageCheckout
from carillon.http.problem import not_found
from carillon.runtime.money import format_amount

_MOST_BYTES: Final = 4_096
_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1a1f36}
main{max-width:26rem;margin:3rem auto;padding:2rem;background:#fff;border-radius:.75rem;box-shadow:0 2px 12px #0002}
h1{font-size:1.1rem;margin:0}strong{font-size:2rem;display:block;margin:.25rem 0 1rem}
label{display:block;margin:.75rem 0}input{width:100%;box-sizing:border-box;padding:.6rem;font:inherit;
border:1px solid #8792a2;border-radius:.4rem}.two{display:flex;gap:1rem}
button{width:100%;padding:.75rem;margin-top:.75rem;font:inherit;border:0;border-radius:.4rem;background:#3b4fd8;
color:#fff;cursor:pointer}button.quiet{background:#e6e8f0;color:#1a1f36}.mode{background:#8a4b00;color:#fff;
padding:.1rem .5rem;border-radius:.4rem;font-size:.8rem}[role=alert]{color:#a30014}table{font-size:.85rem}
code{white-space:nowrap}"""

CheckoutId = Annotated[str, Path(alias="id", pattern="^[a-z0-9_]{1,64}$")]


def routes(provider: EmbeddedProvider) -> APIRouter:
    """The page, and what its buttons do."""
    router = APIRouter(prefix=PATH, include_in_schema=False)

    @router.get("/{id}")
    async def show(checkout_id: CheckoutId) -> Response:
        """The page as the checkout stands."""
        return _page(await _found(provider, checkout_id))

    @router.post("/{id}")
    async def act(checkout_id: CheckoutId, request: Request) -> Response:
        """One button."""
        checkout = await _found(provider, checkout_id)
        form = parse_qs((await request.body())[:_MOST_BYTES].decode("utf-8", "replace"), max_num_fields=20)
        problem = await _act(provider, checkout, {name: values[0] for name, values in form.items()})
        after = await _found(provider, checkout_id)
        if problem:
            return _page(after, problem)
        if checkout.state != after.state and after.state in ("paid", "cancelled") and after.return_url:
            mark = "&" if urlsplit(after.return_url).query else "?"
            query = urlencode({"topup": after.id, "state": after.state})
            return RedirectResponse(f"{after.return_url}{mark}{query}", 303)
        return RedirectResponse(f"{PATH}/{after.id}", 303)

    return router


async def _found(provider: EmbeddedProvider, checkout_id: str) -> PageCheckout:
    found = await provider.find(checkout_id)
    if found is None:
        raise not_found("There is no such checkout.")
    return found


async def _act(provider: EmbeddedProvider, checkout: PageCheckout, form: dict[str, str]) -> str:
    """What is to be said to the payer; empty: it is done."""
    match form.get("do", ""):
        case "pay":
            try:
                fate = fate_of(form.get("card", ""))
            except ValueError as error:
                return str(error)
            if not form.get("expiry") or not form.get("cvc"):
                return "Expiry and security code are missing."
            if fate == "declined":
                await provider.decline(checkout)
                return "Your card was declined. Try another one."
            await (provider.pay(checkout) if fate == "paid" else provider.ask_to_confirm(checkout))
        case "confirm":
            await provider.pay(checkout)
        case "refuse":
            await provider.decline(checkout)
            return "Your bank did not confirm that it is you."
        case "cancel":
            await provider.cancel(checkout)
        case "refund":
            await provider.refund(checkout)
        case "dispute":
            await provider.open_dispute(checkout)
        case "win":
            await provider.win_dispute(checkout)
        case _:
            return "This is no button of this page."
    return ""


def _page(checkout: PageCheckout, problem: str = "") -> HTMLResponse:
    amount = escape(f"{format_amount(checkout.amount)} {checkout.currency}")
    alert = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    body = {"open": _card_form, "confirm": _confirm_form, "paid": _paid, "cancelled": _cancelled}[checkout.state]
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>Pay {amount}</title><style>{_STYLE}</style></head><body><main>'
        f'<p><span class="mode">TEST MODE</span></p><h1>Carillon credit for {escape(checkout.payer)}</h1>'
        f"<strong>{amount}</strong>{alert}{body(checkout)}</main></body></html>"
    )
    # a browser applies form-action to where a form's answer redirects to
    back = urlsplit(checkout.return_url or "")
    origin = f" {back.scheme}://{back.netloc}" if back.netloc else ""
    policy = f"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'{origin}; frame-ancestors 'none'"
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(html, headers=headers)


def _button(do: str, text: str, *, quiet: bool = False) -> str:
    quietly = ' class="quiet" formnovalidate' if quiet else ""
    return f'<button name="do" value="{do}"{quietly}>{escape(text)}</button>'


def _card_form(checkout: PageCheckout) -> str:
    cards = ((SUCCESS, "is charged"), (DECLINED, "is declined"), (CONFIRM, "asks for confirmation"))
    rows = "".join(f"<tr><td><code>{_spaced(number)}</code></td><td>{what}</td></tr>" for number, what in cards)
    pay = f"Pay {format_amount(checkout.amount)} {checkout.currency}"
    return (
        '<form method="post"><label>Card number<input name="card" inputmode="numeric" autocomplete="off" required '
        f'maxlength="23" placeholder="{_spaced(SUCCESS)}"></label><div class="two"><label>Expiry<input name="expiry" '
        'required maxlength="7" placeholder="12/34" autocomplete="off"></label><label>Security code<input name="cvc" '
        'inputmode="numeric" required maxlength="4" placeholder="123" autocomplete="off"></label></div>'
        f"{_button('pay', pay)}{_button('cancel', 'Cancel', quiet=True)}</form>"
        f"<p>No money moves here. Test cards:</p><table>{rows}</table>"
    )


def _confirm_form(_checkout: PageCheckout) -> str:
    return (
        "<p>Your bank asks: is it you who pays?</p><form method='post'>"
        f"{_button('confirm', 'Yes, confirm')}{_button('refuse', 'No', quiet=True)}</form>"
    )


def _paid(checkout: PageCheckout) -> str:
    told = "Refunded." if checkout.refunded else "Paid. Thank you."
    buttons = "" if checkout.refunded else _button("refund", "Refund it", quiet=True)
    if checkout.dispute is None:
        buttons += _button("dispute", "Dispute it", quiet=True)
    elif checkout.dispute == "open":
        told += " The card's holder disputes it."
        buttons += _button("win", "Win the dispute", quiet=True)
    else:
        told += " The dispute is won."
    seller = f"<p>What the seller and the bank may do, to try it out:</p><form method='post'>{buttons}</form>"
    return f"<p>{told}</p>{seller if buttons else ''}"


def _cancelled(_checkout: PageCheckout) -> str:
    return "<p>Cancelled. Nothing was charged.</p>"


def _spaced(number: str) -> str:
    return " ".join(number[begin : begin + 4] for begin in range(0, len(number), 4))
