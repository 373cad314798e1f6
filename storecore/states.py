"""The state laws beyond S1: versions, so that two writers cannot overwrite each other."""

from __future__ import annotations

from storecore.errors import InvalidData, StateConflict, shown

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
