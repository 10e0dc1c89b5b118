"""Whether a submit is taken: the faults that are on, then the rule of its number."""

import random

from carillon.smpp.constants import Status
from simulator.domain.counters import Limit
from simulator.domain.fates import ORDINARY, UNDELIVERED, Outcome, Rule, rule_for
from simulator.domain.faults import Faults
from simulator.domain.repeats import Tries

OK, THROTTLED, SYSERR = int(Status.OK), int(Status.THROTTLED), int(Status.SYSERR)


class Admission:
    """Decides by faults, which can be replaced at any time; remembers tries and the rate."""

    def __init__(self, faults: Faults) -> None:
        self._limit = Limit()
        self._tries = Tries()
        self._chance = random.Random().random  # noqa: S311  faults, not secrets
        self.faults = faults

    @property
    def faults(self) -> Faults:
        """What goes wrong at present."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self._until_drop = faults.drop_after
        self._refuses = bool(faults.tps_limit or faults.throttle_rate or faults.fail_rate)

    def drops(self) -> bool:
        """Whether this submit closes its link."""
        if not self._until_drop:
            return False
        self._until_drop -= 1
        return self._until_drop == 0

    def rule(self, number: str) -> Rule:
        """The rule for a number, if rules are on."""
        return rule_for(number) if self._faults.rules else ORDINARY

    def status(self, rule: Rule, key: int, now_s: float) -> int:
        """The command_status to answer with; `key` tells tries of one message from another's."""
        if self._refuses:
            status = self._by_fault(now_s)
            if status:
                return status
        if not rule.refusal:
            return OK
        if rule.refused_tries and self._tries.another(key) > rule.refused_tries:
            self._tries.forget(key)
            return OK
        return rule.refusal

    def outcome(self, rule: Rule) -> Outcome:
        """How a message that was taken ends."""
        rate = self._faults.undelivered_rate
        return UNDELIVERED if rate and self._chance() < rate else rule.outcome

    def _by_fault(self, now_s: float) -> int:
        faults = self._faults
        if faults.tps_limit and not self._limit.allows(faults.tps_limit, now_s):
            return THROTTLED
        if faults.throttle_rate and self._chance() < faults.throttle_rate:
            return THROTTLED
        if faults.fail_rate and self._chance() < faults.fail_rate:
            return SYSERR
        return OK
