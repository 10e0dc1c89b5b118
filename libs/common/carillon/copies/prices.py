"""A service's own copy of the price lists, and an account's tariff from it."""

from carillon.bus import Bus
from carillon.bus.topology import price_copy
from carillon.copies.kept import KeptCopy
from carillon.events.account import AccountChanged
from carillon.events.base import Record
from carillon.events.catalogue import PRICE_COPY_REQUESTED
from carillon.events.prices import PriceCopyRequested, PriceListChanged
from carillon.mongo import Database
from carillon.sms.tariff import Rate, Tariff


class PriceCopy(KeptCopy[PriceListChanged]):
    """A part."""

    def __init__(self, bus: Bus, database: Database, *, service: str, process: str) -> None:
        super().__init__(
            bus,
            database,
            kind=PriceListChanged,
            name="price_lists",
            field="price_list",
            queue=price_copy(service, process),
            ask=PRICE_COPY_REQUESTED,
        )
        self._service = service
        self._lists: dict[str, PriceListChanged] = {}
        self._tariffs: dict[tuple[str, int], Tariff] = {}  # by list and discount

    def list_for(self, account: AccountChanged) -> PriceListChanged | None:
        """The account's own list, else the newest default one of its currency; None: nothing has a price."""
        if account.price_list is not None:
            return self._lists.get(account.price_list)
        defaults = [known for known in self._lists.values() if known.default and known.currency == account.currency]
        return max(defaults, key=lambda known: known.id, default=None)

    def tariff_for(self, account: AccountChanged) -> Tariff | None:
        """What the account pays, its discount taken off; None: it has no price list (yet)."""
        price_list = self.list_for(account)
        if price_list is None:
            return None
        key = (price_list.id, account.discount_permille)
        tariff = self._tariffs.get(key)
        if tariff is None:
            rates = (Rate(r.prefix, r.micros, r.valid_from, r.valid_until) for r in price_list.rates)
            tariff = self._tariffs[key] = Tariff(rates, discount_permille=account.discount_permille)
        return tariff

    def _request(self, at_ms: int) -> Record:
        return PriceCopyRequested(service=self._service, at=at_ms)

    def _take(self, price_list: PriceListChanged, /) -> bool:
        known = self._lists.get(price_list.id)
        if known is not None and known.version >= price_list.version:
            return False
        self._lists[price_list.id] = price_list
        self._tariffs = {key: tariff for key, tariff in self._tariffs.items() if key[0] != price_list.id}
        return True
