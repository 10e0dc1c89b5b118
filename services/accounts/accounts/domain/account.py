"""An account as this service keeps it. `as_event` is what the other services get to know of it."""

from msgspec import Struct

from carillon.events.account import AccountChanged, AccountState
from carillon.events.account import ApiKey as KeySaid
from carillon.events.account import Callback as CallbackSaid
from carillon.events.account import Door as DoorSaid
from carillon.events.message import CallbackForm, OnAmbiguous, SenderType

SCOPES = ("messages", "receipts", "contacts", "campaigns", "account")


class Door(Struct, frozen=True, kw_only=True):
    """A legacy push door. Times are milliseconds since 1970."""

    name: str
    addresses: tuple[str, ...] = ()
    login: str | None = None
    password_hash: str | None = None
    split_long_text: bool = False
    created_at: int

    @property
    def is_protected(self) -> bool:
        """By addresses, by a login, or by both."""
        return bool(self.addresses) or self.login is not None


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key of the JSON API. The key itself is known to its holder alone; `hint` is its last four characters."""

    id: str
    hash: str
    hint: str
    scopes: tuple[str, ...] = SCOPES
    created_at: int
    expires_at: int | None = None

    def is_valid_at(self, now_ms: int) -> bool:
        """Whether it has not expired."""
        return self.expires_at is None or now_ms < self.expires_at


class Callback(Struct, frozen=True, kw_only=True):
    """Where receipts go. `secrets` has the newest first; the second one is valid until the rotation is ended."""

    url: str
    form: CallbackForm = "query"
    secrets: tuple[str, ...]


class Account(Struct, frozen=True, kw_only=True):
    """One tenant. `version` grows by one with each change.

    Quotas, `unusual_per_hour` and `low_balance_micros` are off at 0. A country of `held_countries` was written to more
    than is usual, and waits for somebody to allow it.
    """

    id: str
    version: int = 1
    state: AccountState = "active"
    name: str
    country: str = "FR"
    default_sender: str = "Carillon"
    default_sender_type: SenderType = "alphanumeric"
    on_ambiguous: OnAmbiguous = "hold"
    lost_after_s: int = 259_200
    prepaid: bool = False
    currency: str = "EUR"
    price_list: str | None = None
    discount_permille: int = 0
    low_balance_micros: int = 0
    quota_per_s: int = 0
    quota_per_day: int = 0
    unusual_per_hour: int = 0
    usual_countries: tuple[str, ...] = ()
    held_countries: tuple[str, ...] = ()
    callback: Callback | None = None
    doors: tuple[Door, ...] = ()
    api_keys: tuple[ApiKey, ...] = ()
    created_at: int
    changed_at: int

    def as_event(self) -> AccountChanged:
        """The whole account at this version, for `account.changed`."""
        said = self.callback
        return AccountChanged(
            id=self.id,
            version=self.version,
            state=self.state,
            name=self.name,
            country=self.country,
            default_sender=self.default_sender,
            default_sender_type=self.default_sender_type,
            callback=CallbackSaid(url=said.url, form=said.form, secrets=list(said.secrets)) if said else None,
            on_ambiguous=self.on_ambiguous,
            prepaid=self.prepaid,
            currency=self.currency,
            price_list=self.price_list,
            discount_permille=self.discount_permille,
            quota_per_s=self.quota_per_s,
            quota_per_day=self.quota_per_day,
            unusual_per_hour=self.unusual_per_hour,
            usual_countries=list(self.usual_countries),
            held_countries=list(self.held_countries),
            lost_after_s=self.lost_after_s,
            doors=[
                DoorSaid(
                    name=door.name,
                    addresses=list(door.addresses),
                    login=door.login,
                    password_hash=door.password_hash,
                    split_long_text=door.split_long_text,
                )
                for door in self.doors
            ],
            api_keys=[
                KeySaid(id=key.id, hash=key.hash, scopes=list(key.scopes), expires_at=key.expires_at)
                for key in self.api_keys
            ],
        )
