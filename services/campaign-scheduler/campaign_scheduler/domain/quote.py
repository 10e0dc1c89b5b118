"""What a campaign will come to: every recipient's text is written and counted, none is sent."""

from collections.abc import Sequence

from msgspec import Struct

from campaign_scheduler.domain.page import write_all
from campaign_scheduler.domain.texts import Texts
from carillon.events.audience import Recipient

_SAMPLES = 3
_REFUSED_SHOWN = 20


class Counts(Struct, kw_only=True):
    """`messages` are those that would be sent, `parts` what they take together.

    The longest text is one that takes the most parts; `refused` counts recipients without a text by code.
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


def counted(counts: Counts, texts: Texts, recipients: Sequence[Recipient]) -> Counts:
    """The counts with one more page."""
    page = write_all(texts, recipients)
    refused = dict(counts.refused)
    for _, code in page.refused:
        refused[code] = refused.get(code, 0) + 1
    longest = max((written for _, written in page.written), key=lambda w: (w.parts, len(w.text)), default=None)
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
        parts=counts.parts + sum(written.parts for _, written in page.written),
        ucs2=counts.ucs2 + sum(written.encoding == "ucs2" for _, written in page.written),
        longest_parts=longest.parts if longest is not None and is_longer else counts.longest_parts,
        longest_text=longest.text if longest is not None and is_longer else counts.longest_text,
        samples=[*counts.samples, *(written.text for _, written in page.written[:_SAMPLES])][:_SAMPLES],
    )
