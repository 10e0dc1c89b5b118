"""What a batch of rows does to contacts: decided once, written down, and then done, however often it takes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from contacts.domain.contact import Contact, Said, taught, together

UNSAVED: Final = 0  # version of a contact that does not exist yet


class Counts(Struct, frozen=True, kw_only=True):
    """Rows by what became of them: `rows` is the sum of the next four. `noted` rows have a remark in the report."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    noted: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class Touch(Struct, frozen=True):
    """One contact that a batch writes. `before` is its state when that was decided; None: it is to be made."""

    id: str
    said: Said
    before: Contact | None = None


class Plan(Struct, frozen=True):
    """All that a batch writes, and the outcome of each of its rows, in their order."""

    touches: list[Touch]
    created: int = 0
    updated: int = 0
    unchanged: int = 0


def plan(said: Sequence[Said], known: Mapping[str, Contact], new_id: Callable[[], str]) -> Plan:
    """`known` are the contacts that exist, by number. A number of several rows is one contact and one touch."""
    merged: dict[str, Said] = {}
    states: dict[str, Contact] = {}
    created = updated = unchanged = 0
    for one in said:
        number = one.number
        state = states.get(number) or known.get(number)
        if state is None:
            states[number] = _state_of(one)
            merged[number] = one
            created += 1
            continue
        after = taught(state, one)
        if after is state:
            unchanged += 1
            continue
        updated += 1
        states[number] = after
        before = merged.get(number)
        merged[number] = one if before is None else together(before, one)
    touches = []
    for number, one in merged.items():
        before_state = known.get(number)
        touches.append(Touch(before_state.id if before_state else new_id(), one, before_state))
    return Plan(touches, created, updated, unchanged)


def made(touch: Touch, account: str, stamp: str, now_ms: int) -> Contact:
    """The contact that a touch makes."""
    said = touch.said
    return Contact(
        id=touch.id, account=account, number=said.number, name=said.name, language=said.language,
        attributes=said.attributes, groups=said.groups, stamp=stamp, created_at=now_ms, changed_at=now_ms,
    )  # fmt: skip


def _state_of(said: Said) -> Contact:
    return Contact(
        id="", account="", number=said.number, name=said.name, language=said.language, attributes=said.attributes,
        groups=said.groups, version=UNSAVED, created_at=0, changed_at=0,
    )  # fmt: skip
