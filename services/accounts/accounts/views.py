"""What the APIs show of an account: never a hash or a password; a key and a secret only where they are made."""

from typing import Any

from pydantic import BaseModel, Field

from accounts.domain.account import Account, ApiKey, Callback, Door
from carillon.events.account import AccountState
from carillon.events.message import CallbackForm, OnAmbiguous, SenderType
from carillon.runtime.clock import rfc3339


class DoorView(BaseModel):
    """A legacy push door."""

    name: str
    path: str = Field(description="where the client pushes to, on ingest")
    addresses: list[str] = Field(description="empty: addresses are not checked")
    login: str | None = Field(description="null: no login and no password are asked for")
    split_long_text: bool
    created_at: str

    @classmethod
    def of(cls, door: Door) -> "DoorView":
        """Shown without its password."""
        return cls(
            name=door.name,
            path=f"/Ext/{door.name}.asp",
            addresses=list(door.addresses),
            login=door.login,
            split_long_text=door.split_long_text,
            created_at=rfc3339(door.created_at),
        )


class ApiKeyView(BaseModel):
    """An API key, without the key."""

    id: str
    hint: str = Field(description="how the key begins and ends")
    scopes: list[str]
    created_at: str
    expires_at: str | None

    @classmethod
    def of(cls, key: ApiKey) -> "ApiKeyView":
        """Enough to tell it from the others."""
        return cls(
            id=key.id,
            hint=f"ck_live_...{key.hint}",
            scopes=list(key.scopes),
            created_at=rfc3339(key.created_at),
            expires_at=None if key.expires_at is None else rfc3339(key.expires_at),
        )


class MadeApiKey(ApiKeyView):
    """The answer that shows a key, once."""

    key: str


class CallbackView(BaseModel):
    """Where receipts go."""

    url: str
    form: CallbackForm
    secrets_valid: int = Field(description="1; 2 during a rotation")

    @classmethod
    def of(cls, callback: Callback) -> "CallbackView":
        """Without its secrets."""
        return cls(url=callback.url, form=callback.form, secrets_valid=len(callback.secrets))


class MadeCallback(CallbackView):
    """The answer that shows the newest secret."""

    secret: str

    @classmethod
    def of(cls, callback: Callback) -> "MadeCallback":
        """With the newest of its secrets."""
        shown = CallbackView.of(callback).model_dump()
        return cls(**shown, secret=callback.secrets[0])


class AccountView(BaseModel):
    """An account as it sees itself."""

    id: str
    state: AccountState
    name: str
    country: str
    default_sender: str
    default_sender_type: SenderType
    on_ambiguous: OnAmbiguous
    lost_after_s: int
    prepaid: bool = Field(description="messages are charged to the account's credit")
    currency: str
    price_list: str | None = Field(description="null: the default list of its currency")
    discount_permille: int
    low_balance_micros: int = Field(description="the balance is low at or below; 0: it never is")
    quota_per_s: int = Field(description="messages; 0: no quota")
    quota_per_day: int = Field(description="messages in a day of UTC; 0: no quota")
    unusual_per_hour: int = Field(description="messages an hour to a country that is not usual; 0: any number")
    usual_countries: list[str]
    held_countries: list[str] = Field(description="messages there are refused until the country is allowed")
    callback: CallbackView | None
    created_at: str
    changed_at: str

    @classmethod
    def of(cls, account: Account) -> "AccountView":
        """Without doors and keys, which have lists of their own."""
        return cls(**_fields(account))


class AdminAccountView(AccountView):
    """An account as the platform team sees it: whole."""

    version: int
    doors: list[DoorView]
    api_keys: list[ApiKeyView]

    @classmethod
    def of(cls, account: Account) -> "AdminAccountView":
        """With its doors and keys."""
        return cls(
            **_fields(account),
            version=account.version,
            doors=[DoorView.of(door) for door in account.doors],
            api_keys=[ApiKeyView.of(key) for key in account.api_keys],
        )


def _fields(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "state": account.state,
        "name": account.name,
        "country": account.country,
        "default_sender": account.default_sender,
        "default_sender_type": account.default_sender_type,
        "on_ambiguous": account.on_ambiguous,
        "lost_after_s": account.lost_after_s,
        "prepaid": account.prepaid,
        "currency": account.currency,
        "price_list": account.price_list,
        "discount_permille": account.discount_permille,
        "low_balance_micros": account.low_balance_micros,
        "quota_per_s": account.quota_per_s,
        "quota_per_day": account.quota_per_day,
        "unusual_per_hour": account.unusual_per_hour,
        "usual_countries": list(account.usual_countries),
        "held_countries": list(account.held_countries),
        "callback": CallbackView.of(account.callback) if account.callback else None,
        "created_at": rfc3339(account.created_at),
        "changed_at": rfc3339(account.changed_at),
    }
