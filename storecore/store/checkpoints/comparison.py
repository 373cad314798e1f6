"""Comparison of a store with a checkpoint: its data must still exist, unless a write replaced it.

Only data of that time is compared: bars and fundamentals within the times of the checkpoint, events
that had been ingested by then, and the last record of each log. So data that was added since makes
no difference. A store has no history of replaced data. If bars or fundamentals differ but their
number does not, a correction and a forgery look the same. That is a note, unless the store numbers
the writes to a series and none occurred since. Events and audit records are only appended, and the
version of a state only grows, so a difference there is a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time
from typing import NamedTuple, Protocol, TypeVar

from msgspec.structs import replace

from storecore.errors import StorageError
from storecore.reports import Finding
from storecore.reports.checkpoint import (
    Checkpoint,
    EventDay,
    Filings,
    LogEnd,
    SavedState,
    Series,
)
from storecore.store.checkpoints.survey import (
    Surveyed,
    Written,
    all_days,
    all_filings,
    filings_of,
    record_of,
    series_of,
    state_of,
)
from storecore.store.digests import fundamentals_of, moment_of
from storecore.store.questions import has_method

_MOST_YEARS = 5  # named in one finding
_NOTES = frozenset({"replaced", "added"})


class _Entry(Protocol):
    """An entry of a checkpoint."""

    @property
    def place(self) -> str:
        """What a finding calls it."""
        ...


_Item = TypeVar("_Item", bound=_Entry)
_Records = TypeVar("_Records", Series, Filings)


class Comparison(NamedTuple):
    """The result: the number of compared entries, the findings and the notes."""

    checked: int
    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]


def compare(store: Surveyed, then: Checkpoint, written: Written) -> Comparison:
    """Return the data of a checkpoint that a store lacks, by name.

    An entry that cannot be read is a finding "unchecked"; the others are still compared.
    """
    spans = {each.symbol: (each.first, each.last) for each in then.fundamentals}
    limits = {each.day: each.ingested for each in then.events}
    found = [
        *_held(then.bars, _nothing, lambda each: _series_now(store, each, written), _of_series),
        *_held(
            then.fundamentals,
            lambda: all_filings(store.iter_fundamentals(), spans),
            lambda each: _filings_now(store, each),
            _of_records,
        ),
        *_held(
            then.events,
            lambda: all_days(store.iter_events(), limits),
            lambda each: _day_now(store, each),
            _of_events,
        ),
        *_held(then.states, _nothing, lambda each: state_of(store, each.strategy), _of_state),
        *_held(then.audit, _nothing, lambda each: record_of(store, each.log, each.seq), _of_log),
    ]
    results = [each for each in found if each is not None]
    return Comparison(
        checked=len(found),
        findings=tuple(each for each in results if each.kind not in _NOTES),
        notes=tuple(each for each in results if each.kind in _NOTES),
    )


def _nothing() -> None:
    """Return an empty stream, for a kind of data that is read entry by entry."""


def _held(
    then: Sequence[_Item],
    streamed: Callable[[], Iterable[_Item] | None],
    alone: Callable[[_Item], _Item | None],
    judged: Callable[[_Item, _Item | None], Finding | None],
) -> Iterator[Finding | None]:
    """Yield the finding or note of each entry, None if there is none.

    A stream is faster than reading entries one by one, but ends at damaged data. The entries after
    that are read one by one.
    """
    found, whole = dict[str, _Item](), False
    if then:
        with suppress(StorageError):
            for each in streamed() or ():
                found[each.place] = each
            whole = streamed is not _nothing
    for each in then:
        try:
            now = found.get(each.place) or (None if whole else alone(each))
        except StorageError as error:
            yield Finding("unchecked", each.place, f"it could not be read: {error}", error.path)
        else:
            yield judged(each, now)


def _series_now(store: Surveyed, then: Series, written: Written) -> Series | None:
    found = series_of(store, then.symbol, then.timeframe, (then.first, then.last))
    # The number is read last: a write during the reading counts as a later one.
    return None if found is None else replace(found, written=written(then.symbol, then.timeframe))


def _filings_now(store: Surveyed, then: Filings) -> Filings | None:
    found = fundamentals_of(store, then.symbol, then.last)
    return filings_of(then.symbol, (each for each in found if moment_of(each) >= then.first))


def _day_now(store: Surveyed, then: EventDay) -> EventDay | None:
    start, end = (datetime.combine(then.day, at, UTC) for at in (time.min, time.max))
    streams = has_method(store, "iter_events")
    events = store.iter_events(start, end) if streams else store.read_events(start, end)
    return next(iter(all_days(events, {then.day: then.ingested})), None)


def _of_series(then: Series, now: Series | None) -> Finding | None:
    """Compare a series: without a write since, it must be unchanged."""
    found = _of_records(then, now)
    if now is None or found is None or found.kind != "replaced":
        return found
    if not (then.written and 0 < now.written <= then.written):
        return found
    kind = "rolled back" if now.written < then.written else "changed"
    detail = f"{then.count:,} then, {now.count:,} now, which differ without a write since"
    return Finding(kind, then.place, f"{detail}: the last write has the number {now.written}")


def _of_records(then: _Records, now: _Records | None) -> Finding | None:
    if now is None:
        span = f"from {_text(then.first)} to {_text(then.last)}"
        return Finding("missing", then.place, f"all {then.count:,} are gone, {span}")
    fewer = _fewer(then, now)
    if fewer:
        return Finding("missing", then.place, f"fewer than at the checkpoint: {fewer}")
    if now.digest != then.digest:
        detail = (
            f"{then.count:,} then, {now.count:,} now, which differ: corrected or completed by a "
            "write since, or changed in another way"
        )
        return Finding("replaced", then.place, detail)
    return None


def _fewer(then: _Records, now: _Records) -> str:
    """Return a text with the years that have fewer records now; empty if there are none."""
    left = {now.first.year + row: count for row, count in enumerate(now.years)}
    years = [
        f"{left.get(year, 0):,} of {count:,} in {year}"
        for year, count in enumerate(then.years, then.first.year)
        if left.get(year, 0) < count
    ]
    more = len(years) - _MOST_YEARS
    return ", ".join(years[:_MOST_YEARS]) + (f" and {more} more years" if more > 0 else "")


def _of_events(then: EventDay, now: EventDay | None) -> Finding | None:
    count = 0 if now is None else now.count
    if now is None or count < then.count:
        return Finding("missing", then.place, f"{count:,} of {then.count:,} are left")
    if now.digest == then.digest:
        return None
    if count > then.count:
        detail = (
            f"{then.count:,} then, {count:,} now that are as old: it is unknown whether all "
            "of the former are among them"
        )
        return Finding("added", then.place, detail)
    return Finding("changed", then.place, f"its {count:,} events are different ones")


def _of_state(then: SavedState, now: SavedState | None) -> Finding | None:
    if now is None:
        return Finding(
            "missing", then.place, f"version {then.version} was saved, no version is stored now"
        )
    if now.version < then.version:
        detail = f"version {then.version} then, version {now.version} now"
        return Finding("rolled back", then.place, detail)
    if now.version == then.version and now.digest != then.digest:
        return Finding("changed", then.place, f"its version {now.version} has a different state")
    return None


def _of_log(then: LogEnd, now: LogEnd | None) -> Finding | None:
    if now is None:
        return Finding("truncated", then.place, f"its last record {then.seq} is missing")
    if now != then:
        detail = f"its record {then.seq} differs: this is another log"
        return Finding("changed", then.place, detail)
    return None


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ").removesuffix(" 00:00:00")
