"""The versions of states, so that two writers cannot overwrite each other.

A backend calls `check_expected` under a lock of the strategy, or in the transaction that writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple, cast

from storecore.errors import ConfigError, InvalidData, StateConflict, shown
from storecore.reports import StateVersion
from storecore.values.batches import listed
from storecore.values.documents import encode_document
from storecore.values.times import exact_instant, to_datetime

RUN_STATES = "\x1frun\x1f"
"""How the names begin under which runs keep their states (`storecore.knowledge.runs`)."""
KEPT_VERSIONS = 5
"""The number of versions of a state that a store keeps, unless an option says otherwise."""


class _Numbered(NamedTuple):
    version: int
    document: bytes


class KeptVersion(_Numbered):
    """A version of another store that a store keeps: its number and its document.

    `saved_at` is the time of its save in aware UTC, None if it is not known. It is not among the
    items of the tuple, which older backends unpack.
    """

    saved_at: datetime | None = None

    def __new__(
        cls, version: int, document: bytes, saved_at: datetime | None = None
    ) -> KeptVersion:
        """Return a version."""
        kept = super().__new__(cls, version, document)
        if saved_at is not None:
            kept.saved_at = saved_at
        return kept


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
    """Return the number, document and time of each version to keep, newest first, at most `kept`.

    Raises `InvalidData` if the numbers do not decrease, `NotSerializable` if JSON would change one.
    """
    checked: list[KeptVersion] = []
    for row, each in enumerate(listed(versions, "StateVersion", "versions")):
        if not isinstance(each, StateVersion):
            raise InvalidData(
                f"versions[{row}]: expected a StateVersion, got {type(each).__name__}"
            )
        number = each.version
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise InvalidData(f"versions[{row}].version={shown(number)}: expected a number from 1")
        if checked and number >= checked[-1].version:
            raise InvalidData(
                f"versions[{row}].version={number}: expected one below {checked[-1].version}, "
                "the newest first"
            )
        state = cast(
            dict[str, Any], each.state
        )  # None is refused like any other value that is not a dict
        document = encode_document(state, f"versions[{row}].state")
        checked.append(KeptVersion(number, document, _saved(each, f"versions[{row}].saved_at")))
    oldest = checked[0].version - kept if checked else 0
    return [each for each in checked if each.version > oldest]


def listed_strategies(names: Iterable[str], prefix: str) -> list[str]:
    """Return the names of states that begin with `prefix`, those of runs only if it does so too."""
    found = [name for name in names if name.startswith(prefix)]
    if prefix.startswith(RUN_STATES):
        return found
    return [name for name in found if not name.startswith(RUN_STATES)]


def saved_at_of(version: tuple[int, bytes]) -> datetime | None:
    """Return the time at which a version of another store was saved, None if it is not known."""
    return getattr(version, "saved_at", None)


def _saved(version: StateVersion, what: str) -> datetime | None:
    if version.saved_at is None:
        return None
    return to_datetime(exact_instant(version.saved_at, what), aware=True)
