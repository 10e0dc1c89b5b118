"""Failures that say something of the number itself: it does not exist, for nobody and not later either."""

from collections.abc import Iterable

from carillon.events.message import Bounced, StatusChanged

# Words of `carillon.sms.operator_errors`, and the dispatcher's for an address that the operator refused at submit.
OF_THE_NUMBER = frozenset({"unknown_number", "number_refused"})


def bounces_of(changes: Iterable[StatusChanged]) -> list[Bounced]:
    """One for each message that ended so. All others are left out: listeners would read 100 records to find one."""
    return [
        Bounced(
            id=change.id,
            account=change.account,
            number=change.number,
            error=change.error,
            operator=change.operator,
            at=change.at,
        )
        for change in changes
        if change.error in OF_THE_NUMBER and change.error is not None
    ]
