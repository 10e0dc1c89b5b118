"""Price lists for the platform team, under /admin/price-lists; an account's own prices, under /v1/prices."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field

from accounts.domain.account import Account
from accounts.domain.errors import ConflictError
from accounts.prices.csv_form import PriceCsvError, read_rates, write_rates
from accounts.prices.example import NAME, example_rates
from accounts.prices.handlers import ChangePrices, list_unknown
from accounts.prices.price_list import PriceList, Rate
from accounts.prices.store import PriceStore
from accounts.schemas import Currency, Name
from carillon.http.pagination import Page
from carillon.http.principal import require_platform
from carillon.http.problem import FieldError, Problem
from carillon.runtime.clock import Clock, rfc3339
from carillon.runtime.ids import new_id
from carillon.runtime.money import discounted
from carillon.sms.numbers import country_of
from carillon.sms.tariff import Rate as TariffRate
from carillon.sms.tariff import Tariff

_MOST_BYTES = 8 * 1024 * 1024
_MOST_RATES = 60_000  # of 200 bytes each in a document of 16 MiB at most
_CSV = {"text/csv": {"schema": {"type": "string"}}}

ListId = Annotated[str, Path(alias="id", examples=["prl_0123456789abcdefghjkmnpqrs"])]


class NewPriceList(BaseModel):
    """`POST /admin/price-lists`. `example`: filled with example prices for every country, which are no tariffs."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    currency: Currency = "EUR"
    default: bool = False
    example: bool = False


class PriceListPatch(BaseModel):
    """`PATCH /admin/price-lists/{id}`: what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(default_factory=lambda: None)  # type: ignore[assignment]
    default: bool = Field(default_factory=lambda: None)  # type: ignore[assignment]


class PriceListView(BaseModel):
    """A price list without its rates, which are a CSV file."""

    id: str
    version: int
    name: str
    currency: str
    default: bool
    rates: int = Field(description="how many there are")
    changed_at: str

    @classmethod
    def of(cls, price_list: PriceList) -> "PriceListView":
        """Counted."""
        return cls(
            id=price_list.id,
            version=price_list.version,
            name=price_list.name,
            currency=price_list.currency,
            default=price_list.default,
            rates=len(price_list.rates),
            changed_at=rfc3339(price_list.changed_at),
        )


class PriceView(BaseModel):
    """What one part costs the account, to the numbers that begin with `prefix`."""

    prefix: str
    destination: str
    price_micros: int
    currency: str


class NumberPrice(BaseModel):
    """What a message to one number costs the account."""

    number: str
    country: str
    price_micros: int | None = Field(description="of one part; null: there is no price for it")
    currency: str


def admin_routes(store: PriceStore, change: ChangePrices, clock: Clock, token: str) -> APIRouter:
    """Everything under /admin/price-lists, guarded by the platform's token."""
    router = APIRouter(prefix="/admin/price-lists", tags=["prices"], dependencies=[Depends(require_platform(token))])

    @router.post("", status_code=201)
    async def add_price_list(given: NewPriceList, response: Response) -> PriceListView:
        """Make a price list, empty or with example prices."""
        now = clock.now_ms()
        made = PriceList(
            id=new_id("prl"),
            name=given.name or NAME,
            currency=given.currency,
            default=given.default,
            rates=example_rates() if given.example else (),
            created_at=now,
            changed_at=now,
        )
        await change.add(made)
        response.headers["Location"] = f"/admin/price-lists/{made.id}"
        return PriceListView.of(made)

    @router.get("")
    async def list_price_lists() -> Page[PriceListView]:
        """All lists, oldest first."""
        return Page(items=[PriceListView.of(known) async for known in store.all()])

    @router.get("/{id}")
    async def read_price_list(list_id: ListId) -> PriceListView:
        """One list."""
        return PriceListView.of(await _found(store, list_id))

    @router.patch("/{id}")
    async def change_price_list(list_id: ListId, given: PriceListPatch) -> PriceListView:
        """Rename it, or make it the default of its currency (the newest default is in force)."""
        fields = given.model_dump(exclude_unset=True)
        return PriceListView.of(await change.apply(list_id, lambda known: replace(known, **fields)))

    @router.put("/{id}/rates", openapi_extra={"requestBody": {"required": True, "content": _CSV}})
    async def put_rates(list_id: ListId, request: Request) -> PriceListView:
        """Replace all rates by a CSV file: `prefix;destination;price;valid_from;valid_until`. All or nothing."""
        rates = _read_body(await _body(request))
        return PriceListView.of(await change.apply(list_id, partial(_with_rates, rates=rates)))

    @router.get("/{id}/rates", response_class=StreamingResponse, responses={200: {"content": _CSV}})
    async def read_rates_csv(list_id: ListId) -> StreamingResponse:
        """All rates as the same CSV file."""
        found = await _found(store, list_id)

        async def lines() -> AsyncIterator[str]:
            for line in write_rates(found.rates):
                yield line

        return StreamingResponse(lines(), media_type="text/csv")

    return router


def own_routes(store: PriceStore, account_of_key: Callable[..., Awaitable[Account]], clock: Clock) -> APIRouter:
    """An account's own prices, its discount taken off."""
    router = APIRouter(prefix="/v1/prices", tags=["prices"])
    own = Depends(account_of_key)

    @router.get("")
    async def list_prices(
        account: Annotated[Account, own],
        search: Annotated[str, Query(max_length=40, description="digits of a prefix, or letters of a country")] = "",
        limit: Annotated[int, Query(ge=1, le=1_000)] = 300,
    ) -> Page[PriceView]:
        """Prices in force now, by prefix."""
        price_list = await _list_of(store, account)
        if price_list is None:
            return Page(items=[])
        now = clock.now_ms()
        rates = [rate for rate in price_list.rates if _matches(rate, search) and _tariff_rate(rate).holds(now)]
        shown = [
            PriceView(
                prefix=rate.prefix,
                destination=rate.destination,
                price_micros=discounted(rate.micros, account.discount_permille),
                currency=price_list.currency,
            )
            for rate in sorted(rates, key=lambda rate: rate.prefix)[:limit]
        ]
        return Page(items=shown)

    @router.get("/{number}")
    async def price_of_number(
        account: Annotated[Account, own],
        number: Annotated[str, Path(pattern="^[0-9]{8,15}$", description="international, digits only")],
    ) -> NumberPrice:
        """What one part to this number costs now: the same function as the quote's and the bill's."""
        price_list = await _list_of(store, account)
        rates = map(_tariff_rate, price_list.rates if price_list else ())
        tariff = Tariff(rates, discount_permille=account.discount_permille)
        return NumberPrice(
            number=number,
            country=country_of(number),
            price_micros=tariff.price_of_part(number, clock.now_ms()),
            currency=account.currency,
        )

    return router


async def _found(store: PriceStore, list_id: str) -> PriceList:
    found = await store.find(list_id)
    if found is None:
        raise list_unknown()
    return found


async def _list_of(store: PriceStore, account: Account) -> PriceList | None:
    """As `carillon.copies.PriceCopy.list_for` decides it."""
    if account.price_list is not None:
        return await store.find(account.price_list)
    defaults = [known async for known in store.all() if known.default and known.currency == account.currency]
    return defaults[-1] if defaults else None


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise Problem(413, "too_large", f"a price list is a file of at most {_MOST_BYTES // 1024 // 1024} MiB")
    return bytes(body)


def _read_body(body: bytes) -> tuple[Rate, ...]:
    try:
        rates = tuple(read_rates(body.decode()))
    except UnicodeDecodeError as error:
        raise Problem(422, "csv_invalid", "the file is not UTF-8") from error
    except PriceCsvError as error:
        errors = [FieldError("csv_invalid", detail, pointer=f"#/lines/{line}") for line, detail in error.errors]
        raise Problem(422, "csv_invalid", f"nothing was changed: {error}", errors=errors) from error
    if len(rates) > _MOST_RATES:
        raise ConflictError("too_many_rates", f"a price list has at most {_MOST_RATES} rates")
    return rates


def _with_rates(known: PriceList, rates: tuple[Rate, ...]) -> PriceList:
    return replace(known, rates=rates)


def _matches(rate: Rate, search: str) -> bool:
    wanted = search.strip().casefold().lstrip("+")
    return rate.prefix.startswith(wanted) or wanted in rate.destination.casefold()


def _tariff_rate(rate: Rate) -> TariffRate:
    return TariffRate(rate.prefix, rate.micros, rate.valid_from, rate.valid_until)
