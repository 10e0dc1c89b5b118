"""What goes wrong on demand, for all messages. `PUT /simulator/faults` changes them while traffic runs."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Rate = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Count = Annotated[int, Field(ge=0)]


class Faults(BaseModel):
    """Rates are shares of submits, from 0 to 1; 0 and false mean that all is well.

    `tps_limit`: submits a second over all binds; those above are throttled (0x58). `slow`: answers a second; what is
    above waits for its answer. `throttle_rate`: refused with 0x58, `fail_rate`: with 0x08, `undelivered_rate`: accepted
    and reported undelivered. `drop_after`: the n-th submit from now closes its link unanswered, once. `hex_ids`:
    submits are answered with the id in hexadecimal, reports carry it in decimal. `no_tlvs`: reports are text only.
    `rules`: whether number endings choose fates.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    receipt_delay_s: Seconds = 0.3
    answer_delay_s: Seconds = 0.0
    tps_limit: Count = 0
    throttle_rate: Rate = 0.0
    fail_rate: Rate = 0.0
    undelivered_rate: Rate = 0.0
    duplicate_reports: bool = False
    report_first: bool = False
    drop_after: Count = 0
    slow: Count = 0
    hex_ids: bool = False
    no_tlvs: bool = False
    rules: bool = True
