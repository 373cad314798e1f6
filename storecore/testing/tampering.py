"""Law A3 against a forger: stored records are edited, removed, swapped, doubled and cut."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256

import pytest

from storecore.errors import StoreError
from storecore.testing.fixtures import Fixtures, Tamper
from storecore.testing.recorder import Recorder
from storecore.testing.records import decision, sent

RECORDS, LOGS = 5, ("decisions", "orders")
Change = Callable[[list[bytes]], list[bytes]]


class TamperingLaws(Fixtures):
    """What `verify_audit` says of records that were changed behind the store's back."""

    @pytest.fixture
    def forged(
        self, having: Callable[[str], Recorder], tamper: Tamper | None
    ) -> Callable[[str, Change], None]:
        """Change the records of each log in turn; `verify_audit` must find it, and find it gone."""
        trail = having("AuditTrail")
        if tamper is None:
            pytest.skip("not tried: the suite gives no `tamper` that edits stored records")
        for number in range(RECORDS):
            trail.log_decision("value", decision(reasoning=f"reason {number}"))
            trail.log_order("value", *sent(quantity=number + 1))

        def forge(what: str, change: Change) -> None:
            for log in LOGS:
                kept: list[bytes] = []

                def changed(lines: list[bytes], kept: list[bytes] = kept) -> list[bytes]:
                    kept[:] = lines
                    return change(list(lines))

                if tamper(log, changed) is False:
                    continue  # the medium itself keeps records from being changed so
                assert len(kept) == RECORDS, f"`tamper` gave {len(kept)} records of {RECORDS}"
                assert not _is_ok(trail), f"{log}: {what} is not found by verify_audit"
                tamper(log, lambda _, kept=kept: kept)  # type: ignore[misc]
                assert _is_ok(trail), f"{log}: put back as it was, and not ok"

        return forge

    def test_a3_an_edited_record_is_found(self, forged: Callable[[str, Change], None]) -> None:
        """The first, one in the middle and the last."""
        for place in (0, 2, RECORDS - 1):
            forged(f"an edit of record {place + 1}", _at(place, _edited))

    def test_a3_an_edited_record_with_a_hash_of_its_own_is_found(
        self, forged: Callable[[str, Change], None]
    ) -> None:
        """What follows it, or what lies beside the log, still names the old one."""
        for place in (0, 2, RECORDS - 1):
            forged(f"a forged record {place + 1}", _at(place, _rehashed))

    def test_a3_a_removed_record_is_found(self, forged: Callable[[str, Change], None]) -> None:
        """The first, and one in the middle."""
        for place in (0, 2):
            forged(f"record {place + 1} removed", lambda lines, p=place: lines[:p] + lines[p + 1 :])  # type: ignore[misc]

    def test_a3_swapped_records_are_found(self, forged: Callable[[str, Change], None]) -> None:
        """Neighbours, and the first with the last."""
        for one, other in ((1, 2), (0, RECORDS - 1)):
            forged(f"records {one + 1} and {other + 1} swapped", _swapped(one, other))

    def test_a3_a_doubled_record_is_found(self, forged: Callable[[str, Change], None]) -> None:
        """In the middle and at the end."""
        for place in (1, RECORDS - 1):
            forged(f"record {place + 1} doubled", lambda lines, p=place: lines[: p + 1] + lines[p:])  # type: ignore[misc]

    def test_a3_a_cut_tail_is_found(self, forged: Callable[[str, Change], None]) -> None:
        """One record of it, several, and all."""
        for count in (1, 3, RECORDS):
            forged(f"the last {count} removed", lambda lines, n=count: lines[:-n])  # type: ignore[misc]


def _is_ok(trail: Recorder) -> bool:
    try:
        return bool(trail.verify_audit().ok)
    except StoreError:
        return False


def _at(place: int, edit: Callable[[bytes], bytes]) -> Change:
    return lambda lines: [edit(line) if row == place else line for row, line in enumerate(lines)]


def _edited(line: bytes) -> bytes:
    """Return a record of the same length that says another symbol."""
    edited = line.replace(b'"symbol":"AAPL"', b'"symbol":"MSFT"', 1)
    assert edited != line, f"`tamper` gives no records as `iter_audit` does: {line[:80]!r}"
    return edited


def _rehashed(line: bytes) -> bytes:
    body = re.sub(rb',"hash":"[0-9a-f]*"}\s*$', b"", _edited(line))
    return b'%b,"hash":"%b"}\n' % (body, sha256(body).hexdigest().encode())


def _swapped(one: int, other: int) -> Change:
    def swap(lines: list[bytes]) -> list[bytes]:
        lines[one], lines[other] = lines[other], lines[one]
        return lines

    return swap
