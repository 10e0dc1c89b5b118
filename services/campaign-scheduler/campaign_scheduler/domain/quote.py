"""What a campaign will come to: every recipient's text is written and counted, none is sent."""

from collections.abc import Sequence

from msgspec import Struct

from campaign_scheduler.domain.page import write_all
from campaign_scheduler.domain.pricing import UNPRICED, Pricing
from campaign_scheduler.domain.texts import Texts
from carillon.events.audience import Recipient

_SAMPLES = 3
_REFUSED_SHOWN = 20


class Counts(Struct, kw_only=True):
    """`messages` are those that would be sent, `parts` what they take together.

    The longest text is one that takes the most parts; `refused` counts recipients without a message by code.
    `price_micros` is what the messages cost together, in `currency` (empty: there is no price list), `part_micros` what
    they would if each took one part. `unpriced` recipients have a text and no price for where they are.
    """

    recipients: int = 0
    messages: int = 0
    suppressed: int = 0
    refused: dict[str, int] = {}
    refused_numbers: list[tuple[str, str]] = []
    parts: int = 0
    ucs2: int = 0
    longest_parts: int = 0
    longest_text: str = ""
    samples: list[str] = []
    currency: str = ""
    price_micros: int = 0
    part_micros: int = 0
    unpriced: int = 0
    unpriced_numbers: list[str] = []

    @property
    def longest_micros(self) -> int:
        """What the messages would cost if each were as long as the longest: the worst that values can bring."""
        return self.part_micros * self.longest_parts


def counted(counts: Counts, texts: Texts, recipients: Sequence[Recipient], pricing: Pricing = UNPRICED) -> Counts:
    """The counts with one more page."""
    page = write_all(texts, recipients, pricing)
    unpriced = [number for number, code in page.refused if code == "no_price"]
    unpriced += [each.recipient.number for each in page.written if each.micros is None]
    refused = dict(counts.refused)
    for _, code in page.refused:
        refused[code] = refused.get(code, 0) + 1
    longest = max((each.written for each in page.written), key=lambda w: (w.parts, len(w.text)), default=None)
    is_longer = longest is not None and (longest.parts, len(longest.text)) > (
        counts.longest_parts,
        len(counts.longest_text),
    )
    return Counts(
        recipients=counts.recipients + len(recipients),
        messages=counts.messages + len(page.written),
        suppressed=counts.suppressed + page.suppressed,
        refused=refused,
        refused_numbers=[*counts.refused_numbers, *page.refused][:_REFUSED_SHOWN],
        parts=counts.parts + sum(each.written.parts for each in page.written),
        ucs2=counts.ucs2 + sum(each.written.encoding == "ucs2" for each in page.written),
        longest_parts=longest.parts if longest is not None and is_longer else counts.longest_parts,
        longest_text=longest.text if longest is not None and is_longer else counts.longest_text,
        samples=[*counts.samples, *(each.written.text for each in page.written[:_SAMPLES])][:_SAMPLES],
        currency=pricing.currency if pricing.tariff is not None else counts.currency,
        price_micros=counts.price_micros + sum(each.micros or 0 for each in page.written),
        part_micros=counts.part_micros + sum((each.micros or 0) // each.written.parts for each in page.written),
        unpriced=counts.unpriced + len(unpriced),
        unpriced_numbers=[*counts.unpriced_numbers, *unpriced][:_REFUSED_SHOWN],
    )
