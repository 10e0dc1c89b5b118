"""An account as the other services need to know it: their copy is refreshed by `account.changed`."""

from typing import Annotated, Literal

from msgspec import Meta

from carillon.events.base import AccountId, Millis, Record
from carillon.events.message import CallbackForm, OnAmbiguous, SenderType

AccountState = Literal["active", "suspended", "closed"]


class Door(Record, kw_only=True):
    """A legacy push door: its name is in the URL, and addresses, a login, or both protect it."""

    name: Annotated[str, Meta(pattern="^[a-z0-9-]{3,32}$")]
    addresses: Annotated[list[str], Meta(description="addresses or networks that may use it; empty: not checked")] = []
    login: str | None = None
    password_hash: Annotated[str | None, Meta(description="argon2id")] = None
    split_long_text: Annotated[bool, Meta(description="more text than one SMS is split, not rejected")] = False


class ApiKey(Record, kw_only=True):
    """A key of the JSON API: only the hash of its secret is known."""

    id: Annotated[str, Meta(description="key_...")]
    hash: Annotated[str, Meta(description="SHA-256 of the whole key, hex")]
    scopes: list[str] = []
    expires_at: Millis | None = None


class Callback(Record, kw_only=True):
    """Where and how receipts go. Two secrets are valid during a rotation, the newest first."""

    url: str
    form: CallbackForm = "query"
    secrets: Annotated[list[str], Meta(description="whsec_..., for the JSON forms")] = []


class AccountChanged(Record, kw_only=True):
    """`account.changed`: the whole account at one version. A copy keeps the highest version it has seen."""

    id: AccountId
    version: Annotated[int, Meta(ge=1, description="grows by one with each change")]
    state: AccountState = "active"
    name: str = ""
    country: Annotated[str, Meta(description="ISO 3166-1 alpha-2: national numbers are read as of this country")] = "FR"
    default_sender: str = "Carillon"
    default_sender_type: SenderType = "alphanumeric"
    callback: Callback | None = None
    on_ambiguous: OnAmbiguous = "hold"
    lost_after_s: Annotated[int, Meta(ge=60, description="no final report by then: lost notification")] = 259_200
    prepaid: Annotated[bool, Meta(description="messages are charged to the account's credit")] = False
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217, of its credit and its prices")] = "EUR"
    price_list: Annotated[str | None, Meta(description="prl_..., its own; None: the default of its currency")] = None
    discount_permille: Annotated[int, Meta(ge=0, le=1_000, description="thousandths off every price")] = 0
    quota_per_s: Annotated[int, Meta(ge=0, description="messages a second; 0: no quota")] = 0
    quota_per_day: Annotated[int, Meta(ge=0, description="messages a day of UTC; 0: no quota")] = 0
    unusual_per_hour: Annotated[
        int, Meta(ge=0, description="more messages an hour to a country that is not usual hold it; 0: none is held")
    ] = 0
    usual_countries: Annotated[list[str], Meta(description="ISO 3166-1; the account's own is usual too")] = []
    held_countries: Annotated[list[str], Meta(description="messages there are refused until it is allowed")] = []
    doors: list[Door] = []
    api_keys: list[ApiKey] = []


class DestinationHeld(Record, kw_only=True):
    """`account.destination_held`: more messages to an unusual country than the account may send in an hour."""

    account: AccountId
    country: Annotated[str, Meta(description="ISO 3166-1")]
    messages: Annotated[int, Meta(ge=0, description="in the last hour, as one process has seen it")]
    at: Millis


class AccountCopyRequested(Record, kw_only=True):
    """`account.copy_requested`: a service has just started and wants every account said again."""

    service: str
    at: Millis
