"""The state laws beyond S1: versions, so that two writers cannot overwrite each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from storecore.errors import InvalidData, StateConflict, shown
from storecore.reports import StateVersion
from storecore.values.batches import listed
from storecore.values.documents import encode_document

KEPT_VERSIONS = 5


def check_expected(strategy: str, expect: int | None, stored: int) -> None:
    """Refuse to replace another version than the one expected (None: whichever is stored).

    Raises `StateConflict`, `InvalidData` where `expect` is no version.
    """
    if expect is None:
        return
    if not isinstance(expect, int) or isinstance(expect, bool) or expect < 0:
        raise InvalidData(
            f"expect={shown(expect)}: expected the version of a state, 0 for none, or None for any"
        )
    if expect != stored:
        raise StateConflict(
            f"the state of {strategy!r} is at version {stored}, not {expect}: another writer has "
            "saved it since; load it again, or save without expect to overwrite what it saved"
        )


def checked_versions(versions: Iterable[StateVersion]) -> list[tuple[int, bytes]]:
    """Return versions of another store, newest first, as number and document of those to keep.

    Raises `InvalidData` where they do not fall from one to the next, `NotSerializable`.
    """
    checked: list[tuple[int, bytes]] = []
    for row, each in enumerate(listed(versions, "StateVersion", "versions")):
        if not isinstance(each, StateVersion):
            raise InvalidData(
                f"versions[{row}]: expected a StateVersion, got {type(each).__name__}"
            )
        number = each.version
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise InvalidData(f"versions[{row}].version={shown(number)}: expected a number from 1")
        if checked and number >= checked[-1][0]:
            raise InvalidData(
                f"versions[{row}].version={number}: expected one below {checked[-1][0]}, "
                "the newest first"
            )
        state = cast(dict[str, Any], each.state)  # None is refused as what else is no dict
        checked.append((number, encode_document(state, f"versions[{row}].state")))
    oldest = checked[0][0] - KEPT_VERSIONS if checked else 0
    return [(number, document) for number, document in checked if number > oldest]
