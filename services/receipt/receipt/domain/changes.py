"""Which statuses a change of milestones is to be told with."""

from copy import copy

from carillon.events.message import StatusChanged
from receipt.domain.milestones import Milestones
from receipt.domain.status import chain_of, error_of, moment_of, operator_of


def changes(facts: StatusChanged, before: Milestones, after: Milestones) -> list[StatusChanged]:
    """Each status that `after` entails and `before` did not, in order.

    `facts` is a record of the message with everything that does not depend on its status; it is used up.
    """
    chain = chain_of(after, facts.parts)
    known = chain_of(before, facts.parts)
    said: list[StatusChanged] = []
    previous = known[-1] if known else None
    for status in chain:
        if status in known:
            continue
        change = copy(facts)
        change.status = status
        change.previous = previous
        change.at = moment_of(after, status)
        if status != "accepted":
            change.operator = operator_of(after)
            change.error = error_of(after, status)
        said.append(change)
        previous = status
    return said
