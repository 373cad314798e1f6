"""The versions of states, so that two writers cannot overwrite each other.

A backend calls `check_expected` under a lock of the strategy, or in the transaction that writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from storecore.errors import ConfigError, InvalidData, StateConflict, shown
from storecore.reports import StateVersion
from storecore.values.batches import listed
from storecore.values.documents import encode_document

KEPT_VERSIONS = 5
"""The number of versions of a state that a store keeps, unless an option says otherwise."""


def checked_kept(state_versions: int) -> int:
    """Return the option `state_versions`. Raises `ConfigError` if it is not 1 or more."""
    number = state_versions
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ConfigError(
            f"state_versions={shown(number)}: expected the number of versions to keep of each "
            "state, 1 or more"
        )
    return number


def check_expected(strategy: str, expect: int | None, stored: int) -> None:
    """Raise `StateConflict` if the stored version is not the expected one (None: any).

    Raises `InvalidData` if `expect` is not a version.
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
            "saved it since; load it again, or save without expect to overwrite it"
        )


def checked_versions(
    versions: Iterable[StateVersion], kept: int = KEPT_VERSIONS
) -> list[tuple[int, bytes]]:
    """Return the number and document of each version to keep, newest first, at most `kept`.

    Raises `InvalidData` if the numbers do not decrease, `NotSerializable` if JSON would change one.
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
        state = cast(
            dict[str, Any], each.state
        )  # None is refused like any other value that is not a dict
        checked.append((number, encode_document(state, f"versions[{row}].state")))
    oldest = checked[0][0] - kept if checked else 0
    return [(number, document) for number, document in checked if number > oldest]
