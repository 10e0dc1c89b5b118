"""Price lists as the services that accept messages need to know them."""

from typing import Annotated

from msgspec import Meta

from carillon.events.base import Millis, Record


class PriceRate(Record, kw_only=True):
    """The price of one part to the numbers that begin with a prefix."""

    prefix: Annotated[str, Meta(pattern="^[0-9]{0,12}$", description="international digits; empty: everything else")]
    micros: Annotated[int, Meta(ge=0, description="micro-units of the list's currency, for one part")]
    valid_from: Millis | None = None
    valid_until: Annotated[Millis | None, Meta(description="the first moment at which it no longer holds")] = None


class PriceListChanged(Record, kw_only=True):
    """`prices.changed`: a whole price list at one version. A copy keeps the highest version it has seen."""

    id: Annotated[str, Meta(description="price list, prl_...")]
    version: Annotated[int, Meta(ge=1, description="grows by one with each change")]
    name: str = ""
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217")]
    default: Annotated[bool, Meta(description="for accounts that have no list of their own")] = False
    rates: Annotated[list[PriceRate], Meta(description="each for a prefix, in any order")]


class PriceCopyRequested(Record, kw_only=True):
    """`prices.copy_requested`: a process wants every price list said again."""

    service: Annotated[str, Meta(description="who asks")]
    at: Millis
