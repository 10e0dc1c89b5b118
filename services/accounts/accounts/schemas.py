"""What the admin API takes. Every field is checked here; what depends on the account's state is checked in domain/."""

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from accounts.domain import rules
from accounts.domain.account import SCOPES
from carillon.events.account import AccountState
from carillon.events.message import CallbackForm, OnAmbiguous, SenderType
from carillon.runtime.money import MOST_MICROS

_DAY_S = 86_400

Currency = Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["EUR"])]
PriceListId = Annotated[
    str, Field(pattern="^prl_[0-9a-z]{1,40}$", description="null: the default list of its currency")
]
Discount = Annotated[int, Field(ge=0, le=1_000, description="thousandths off every price")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Country = Annotated[str, AfterValidator(rules.country), Field(examples=["FR"])]
Countries = Annotated[tuple[Country, ...], Field(max_length=250, description="where it usually sends; its own is")]
LowBalance = Annotated[int, Field(ge=0, le=MOST_MICROS, description="warn at or below; 0: never")]
Quota = Annotated[int, Field(ge=0, le=1_000_000_000, description="messages; 0: no quota")]
LostAfter = Annotated[int, Field(ge=60, le=30 * _DAY_S, description="seconds without a final report until it is lost")]
DoorName = Annotated[str, AfterValidator(rules.door_name), Field(examples=["shop-1"])]
Address = Annotated[str, AfterValidator(rules.address), Field(examples=["192.0.2.0/24"])]
Addresses = Annotated[list[Address], Field(max_length=200)]
Login = Annotated[str, AfterValidator(rules.login)]
Password = Annotated[SecretStr, Field(min_length=6, max_length=128)]
Scope = Annotated[str, AfterValidator(rules.scope), Field(examples=list(SCOPES))]
Url = Annotated[str, AfterValidator(rules.callback_url), Field(examples=["https://example.com/receipts"])]


def _left_out() -> Any:
    """A field that may be left out of a PATCH, but not be null."""
    return Field(default_factory=lambda: None)


class _Body(BaseModel):
    # a misspelt field is an error, not a setting that silently does nothing
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewAccount(_Body):
    """`POST /admin/accounts`."""

    name: Name
    country: Country = "FR"
    default_sender: str = Field(default="Carillon", max_length=20)
    default_sender_type: SenderType = "alphanumeric"
    on_ambiguous: OnAmbiguous = "hold"
    lost_after_s: LostAfter = 3 * _DAY_S
    prepaid: bool = False
    currency: Currency = "EUR"
    price_list: PriceListId | None = None
    discount_permille: Discount = 0
    low_balance_micros: LowBalance = 0
    quota_per_s: Quota = 0
    quota_per_day: Quota = 0
    unusual_per_hour: Quota = 0
    usual_countries: Countries = ()


class AccountPatch(_Body):
    """`PATCH /admin/accounts/{id}`: what is left out stays as it is."""

    name: Name = _left_out()
    country: Country = _left_out()
    default_sender: Annotated[str, Field(max_length=20)] = _left_out()
    default_sender_type: SenderType = _left_out()
    on_ambiguous: OnAmbiguous = _left_out()
    lost_after_s: LostAfter = _left_out()
    prepaid: bool = _left_out()
    price_list: PriceListId | None = None
    discount_permille: Discount = _left_out()
    low_balance_micros: LowBalance = _left_out()
    quota_per_s: Quota = _left_out()
    quota_per_day: Quota = _left_out()
    unusual_per_hour: Quota = _left_out()
    usual_countries: Countries = _left_out()
    state: AccountState = _left_out()


class NewDoor(_Body):
    """`POST /admin/accounts/{id}/doors`. Addresses, or a login and a password, or both."""

    name: DoorName
    addresses: Addresses = []
    login: Login | None = None
    password: Password | None = None
    split_long_text: bool = False

    @model_validator(mode="after")
    def _login_with_password(self) -> "NewDoor":
        if (self.login is None) != (self.password is None):
            raise ValueError("login and password go together")
        return self


class DoorPatch(_Body):
    """`PATCH .../doors/{name}`: what is left out stays; a login of null takes login and password away."""

    addresses: Addresses = _left_out()
    login: Login | None = None
    password: Password = _left_out()
    split_long_text: bool = _left_out()


class NewApiKey(_Body):
    """`POST .../api-keys`."""

    scopes: Annotated[list[Scope], Field(min_length=1)] = list(SCOPES)
    expires_at: Annotated[AwareDatetime | None, Field(description="RFC 3339, with its offset; null: never")] = None


class NewCallback(_Body):
    """`PUT .../callback`."""

    url: Url
    form: CallbackForm = "query"
