"""Contacts and groups as people change them by hand: rules that need the store."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import phonenumbers
from msgspec.structs import replace

from carillon.events.account import AccountChanged
from carillon.runtime.clock import Clock
from contacts.domain.contact import MAX_ATTRIBUTES, Contact
from contacts.domain.errors import ConflictError, InvalidError, StaleError, UnknownError
from contacts.domain.folding import words_of
from contacts.reading.numbers import DETAILS, UnreadableError, read_number
from contacts.store import Stores
from contacts.store.contacts import next_version
from contacts.store.groups import Group
from contacts.suppressed import ERASED, Reasons

_ATTEMPTS = 10
_SEARCH_DIGITS = frozenset("0123456789+.-/() \u00a0\u202f")


class Book:
    """Every method names the account and sees nothing of another's."""

    def __init__(self, stores: Stores, reasons: Reasons, clock: Clock) -> None:
        self._stores = stores
        self._reasons = reasons
        self._clock = clock

    async def add(self, account: AccountChanged, id_: str, fields: Mapping[str, Any]) -> Contact:
        """A new contact; with the id of one that is there, that one."""
        number = read(fields["number"], account.country, "number")
        await self._not_erased(account.id, number)
        await self._groups_exist(account.id, fields["groups"])
        now_ms = self._clock.now_ms()
        return await self._stores.contacts.add(
            Contact(
                id=id_, account=account.id, number=number, name=fields["name"], language=fields["language"],
                attributes=fields["attributes"], groups=tuple(dict.fromkeys(fields["groups"])),
                created_at=now_ms, changed_at=now_ms,
            )
        )  # fmt: skip

    async def get(self, account: str, id_: str) -> Contact:
        """UnknownError when there is none."""
        contact = await self._stores.contacts.find(account, id_)
        if contact is None:
            raise contact_unknown()
        return contact

    async def change(
        self, account: AccountChanged, id_: str, fields: Mapping[str, Any], version: int | None
    ) -> Contact:
        """What is in `fields` changes. StaleError when it has another version than the one that is named."""
        values = dict(fields)
        if "number" in values:
            values["number"] = read(values["number"], account.country, "number")
            await self._not_erased(account.id, values["number"])
        if "groups" in values:
            await self._groups_exist(account.id, values["groups"])
            values["groups"] = tuple(dict.fromkeys(values["groups"]))
        given = values.pop("attributes", None)

        def changed(contact: Contact) -> Contact:
            merged = {} if given is None else {"attributes": _merged(contact.attributes, given)}
            return replace(contact, **values, **merged)

        return await self._apply(account.id, id_, changed, version)

    async def remove(self, account: str, id_: str, version: int | None) -> None:
        """Delete it; its suppression and its consents stay."""
        if not await self._stores.contacts.remove(account, id_, version):
            await self.get(account, id_)
            raise StaleError

    async def search(self, account: AccountChanged, prefix: str, limit: int) -> list[Contact]:
        """By the first digits of the number, national ones too, or by the first letters of words of the name."""
        if set(prefix) <= _SEARCH_DIGITS:
            digits = _digit_prefixes(prefix, account.country)
            return await self._stores.contacts.search(account.id, digits, (), limit) if digits else []
        words = words_of(prefix)
        return await self._stores.contacts.search(account.id, (), words, limit) if words else []

    async def add_group(self, account: str, id_: str, name: str) -> Group:
        """A new group; with the id of one that is there, that one."""
        now_ms = self._clock.now_ms()
        group = Group(id=id_, account=account, name=" ".join(name.split()), created_at=now_ms, changed_at=now_ms)
        return await self._stores.groups.add(group)

    async def get_group(self, account: str, id_: str) -> Group:
        """UnknownError when there is none."""
        group = await self._stores.groups.find(account, id_)
        if group is None:
            raise group_unknown()
        return group

    async def rename_group(self, account: str, id_: str, name: str, version: int | None) -> Group:
        """StaleError when it has another version than the one that is named."""
        for _ in range(_ATTEMPTS):
            group = await self.get_group(account, id_)
            if version is not None and group.version != version:
                raise StaleError
            renamed = replace(
                group, name=" ".join(name.split()), version=group.version + 1, changed_at=self._clock.now_ms()
            )
            if await self._stores.groups.rename(renamed, expected=group.version):
                return renamed
        raise _busy()

    async def delete_group(self, account: str, id_: str) -> None:
        """Its contacts stay."""
        if not await self._stores.groups.delete(account, id_):
            raise group_unknown()

    async def members(
        self, account: AccountChanged, id_: str, ids: Sequence[str], numbers: Sequence[str], *, add: bool
    ) -> tuple[int, list[str]]:
        """Contacts join a group or leave it; how many did, and what was given that is no contact."""
        await self.get_group(account.id, id_)
        digits = [read(number, account.country, "numbers") for number in numbers]
        by_id = await self._stores.contacts.by_ids(account.id, ids)
        by_number = await self._stores.contacts.by_numbers(account.id, digits)
        unknown = [one for one in ids if one not in by_id] + [one for one in digits if one not in by_number]
        there = {*by_id, *(contact.id for contact in by_number.values())}
        changed = await self._stores.contacts.change_groups(
            account.id, id_, sorted(there), add=add, now_ms=self._clock.now_ms()
        )
        return changed, unknown

    async def empty_deleted_groups(self) -> None:
        """For a sweep: members leave groups that were deleted, and then nothing is left of them."""
        for account, group in await self._stores.groups.deleted(10):
            while await self._stores.contacts.empty_group(account, group, 1_000):
                pass
            await self._stores.groups.forget(group)

    async def _apply(
        self, account: str, id_: str, change: Callable[[Contact], Contact], version: int | None
    ) -> Contact:
        for _ in range(_ATTEMPTS):
            contact = await self.get(account, id_)
            if version is not None and contact.version != version:
                raise StaleError
            changed = change(contact)
            if changed == contact:
                return contact
            changed = next_version(changed, self._clock.now_ms())
            if await self._stores.contacts.replace(changed, expected=contact.version):
                return changed
        raise _busy()

    async def _not_erased(self, account: str, number: str) -> None:
        if (await self._reasons(account, [number])).get(number) == ERASED:
            raise ConflictError("number_erased", DETAILS_ERASED, "number")

    async def _groups_exist(self, account: str, ids: Sequence[str]) -> None:
        known = await self._stores.groups.by_ids(account, ids) if ids else {}
        if any(id_ not in known for id_ in ids):
            raise InvalidError("group_unknown", "there is no such group", "groups")


DETAILS_ERASED = "this person was erased and stays so"


def read(number: str, country: str, field: str) -> str:
    """International digits; InvalidError says what is wrong."""
    try:
        return read_number(number, country)[0]
    except UnreadableError as error:
        raise InvalidError(error.code, DETAILS[error.code], field) from error


def contact_unknown() -> UnknownError:
    """No contact of the account has this id."""
    return UnknownError("contact_unknown", "there is no such contact")


def group_unknown() -> UnknownError:
    """No group of the account has this id."""
    return UnknownError("group_unknown", "there is no such group")


def _busy() -> ConflictError:
    return ConflictError("busy", "it is being changed by many at once: try again")


def _merged(attributes: Mapping[str, str], given: Mapping[str, str | None]) -> dict[str, str]:
    merged = {name: value for name, value in {**attributes, **given}.items() if value is not None}
    if len(merged) > MAX_ATTRIBUTES:
        raise InvalidError("too_many_attributes", f"a contact has at most {MAX_ATTRIBUTES} attributes", "attributes")
    return merged


def _digit_prefixes(prefix: str, country: str) -> list[str]:
    """What the number may begin with: as international digits, and as the account's country writes them."""
    digits = "".join(character for character in prefix if character.isdigit())
    if prefix.strip().startswith("+"):
        return [digits] if digits else []
    if digits.startswith("00"):
        return [digits[2:]] if digits[2:] else []
    if digits.startswith("0"):
        return [f"{phonenumbers.country_code_for_region(country)}{digits[1:]}"]
    return [digits] if digits else []
