"""Copies the audit log: both chains, byte for byte, so that they can be verified in the target.

Records are appended to the target's chain if it is the beginning of the source's chain.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from storecore.audit.chain import links
from storecore.audit.records import GENESIS, Link, end_of
from storecore.audit.transfer import LOGS
from storecore.copying.report import Copied, LeftOut, Progress, batches
from storecore.protocols import DataStore, Transfer
from storecore.reports import AuditLine
from storecore.store.digests import Digest, tally

_AT_ONCE = 5_000
_LACKS = "it lacks the capability Transfer"


def copy_audit(
    source: DataStore, target: DataStore, progress: Progress
) -> Iterator[Copied | LeftOut]:
    """Copy the log of decisions, then that of orders."""
    for log in LOGS:
        if not isinstance(source, Transfer):
            yield LeftOut(log, f"the source cannot list its records: {_LACKS}")
        elif isinstance(target, Transfer):
            yield from _Log(log, source, target, progress).copy()
        elif next(source.iter_audit(log), None) is not None:
            yield LeftOut(log, f"the target cannot take unchanged records: {_LACKS}")


class _Log:
    """One log in both stores."""

    def __init__(self, log: str, source: Transfer, target: Transfer, progress: Progress) -> None:
        self._log = log
        self._source = source
        self._target = target
        self._progress = progress
        self._digest = Digest()
        self._added = 0

    def copy(self) -> Iterator[Copied]:
        """Append the records that the target lacks, and report on both sides."""
        note = self._append()
        given = self._digest.tally()
        kept = tally(each.line for each in self._target.iter_audit(self._log))
        if given.count or kept.count:
            yield Copied(self._log, "", given, kept, added=self._added, note=note)

    def _append(self) -> str:
        """Append the records after the target's last; return why not, if that is impossible."""
        given = self._given()
        end, note = self._common(given)
        note = note or self._go_on(given, end)
        deque(given, maxlen=0)  # count the rest
        return note

    def _given(self) -> Iterator[AuditLine]:
        for each in self._source.iter_audit(self._log):
            self._digest.add(each.line)
            self._progress(self._log, "", 1)
            yield each

    def _common(self, given: Iterator[AuditLine]) -> tuple[Link, str]:
        """Compare the target's records with the source's; return its end, or the difference."""
        last = None
        for number, kept in enumerate(self._target.iter_audit(self._log), 1):
            line = next(given, None)
            if line is None:
                return (
                    GENESIS,
                    f"the target has more records than the source, whose last is {number - 1}",
                )
            if line.line != kept.line:
                return GENESIS, f"the target's record {number} differs: its chain is not changed"
            last = kept.line
        return (GENESIS if last is None else end_of(last)), ""

    def _go_on(self, given: Iterator[AuditLine], end: Link) -> str:
        """Append the following records; return where the source's chain breaks, if it does."""
        for day, records in groupby(given, key=attrgetter("day")):
            for batch in batches((each.line for each in records), _AT_ONCE):
                whole = batch[: links(batch, end)]
                if whole:
                    self._target.append_audit(self._log, day, whole)
                    self._added += len(whole)
                    end = end_of(whole[-1])
                if len(whole) < len(batch):
                    return (
                        f"the source's chain is broken at record {end.seq + 1}: the copy ends there"
                    )
        return ""
