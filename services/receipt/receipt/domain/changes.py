"""Which statuses a change of milestones is to be told with."""

from copy import copy

from carillon.events.message import Status, StatusChanged
from receipt.domain.milestones import Milestones
from receipt.domain.status import chain_of, error_of, moment_of, operator_of


def changes(facts: StatusChanged, known: tuple[Status, ...], after: Milestones) -> list[StatusChanged]:
    """Each status that `after` entails and that is not in the chain `known`, in order.

    `facts` is a record of the message with everything that does not depend on its status.
    """
    said: list[StatusChanged] = []
    previous = known[-1] if known else None
    for status in chain_of(after, facts.parts):
        if status in known:
            continue
        change = copy(facts)
        if status != "accepted":
            change.status = status
            change.at = moment_of(after, status)
            change.operator = operator_of(after)
            change.error = error_of(after, status)
        change.previous = previous
        said.append(change)
        previous = status
    return said
