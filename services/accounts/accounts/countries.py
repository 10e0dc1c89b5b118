"""Countries that an account usually writes to, and those that are held because it suddenly did."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Path
from pydantic import AfterValidator

from accounts.domain import changes, rules
from accounts.domain.account import Account
from accounts.domain.errors import UnknownError
from accounts.handlers import ChangeAccount
from accounts.views import AccountView
from carillon.bus import Delivery
from carillon.events.account import DestinationHeld
from carillon.http.principal import require_platform

log = structlog.get_logger(__name__)

AccountId = Annotated[str, Path(alias="id", examples=["acc_0123456789abcdefghjkmnpqrs"])]
Country = Annotated[str, Path(examples=["LV"]), AfterValidator(rules.country)]


class HoldDestinations:
    """`account.destination_held`: the account's copies refuse the country from now on. Said again, nothing changes."""

    def __init__(self, change: ChangeAccount) -> None:
        self._change = change

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        """One after the other; there are few."""
        for delivery in deliveries:
            for held in delivery.records:
                assert isinstance(held, DestinationHeld)
                log.warning(
                    "account.destination_held", account=held.account, country=held.country, messages=held.messages
                )
                try:
                    await self._change.apply(held.account, partial(changes.with_held_country, country=held.country))
                except UnknownError:
                    log.warning("account.hold_of_nobody", account=held.account)


def own_routes(change: ChangeAccount, account_of_key: Callable[..., Awaitable[Account]]) -> APIRouter:
    """What an account decides for itself."""
    router = APIRouter(prefix="/v1/account/countries", tags=["account"])
    own = Depends(account_of_key)

    @router.put("/{country}")
    async def allow_country(account: Annotated[Account, own], country: Country) -> AccountView:
        """Messages to this country are usual: a hold ends within a second."""
        return AccountView.of(await change.apply(account.id, partial(changes.with_usual_country, country=country)))

    @router.delete("/{country}")
    async def count_country(account: Annotated[Account, own], country: Country) -> AccountView:
        """Messages to this country are unusual: they are counted, and held when there are too many."""
        return AccountView.of(await change.apply(account.id, partial(changes.without_usual_country, country=country)))

    return router


def admin_routes(change: ChangeAccount, token: str) -> APIRouter:
    """The same by the platform team."""
    guard = Depends(require_platform(token))
    router = APIRouter(prefix="/admin/accounts/{id}/countries", tags=["admin"], dependencies=[guard])

    @router.put("/{country}")
    async def allow_country_of(account_id: AccountId, country: Country) -> AccountView:
        """Messages of the account to this country are usual."""
        return AccountView.of(await change.apply(account_id, partial(changes.with_usual_country, country=country)))

    return router
