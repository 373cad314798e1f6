"""Replay: the questions behind a record are asked again, as of then (law K4).

Each receipt names a question and the checksum of its answer. If the answer of today has another
checksum, the data were corrected after the read. A store with `History` also returns what was read
then, so that each row that differs is named, with the time of its correction.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from storecore.errors import HistoryPruned, InvalidData, shown
from storecore.knowledge.checksums import checksum
from storecore.knowledge.view import at
from storecore.models import (
    DecisionRecord,
    Event,
    FundamentalData,
    OrderRecord,
    PriceBar,
    Read,
)
from storecore.protocols import METHODS, DataStore, VersionedState, declaration
from storecore.reports import StateVersion
from storecore.store.questions import has_method, recording_began
from storecore.values.times import exact_instant, to_datetime

Status = Literal["same", "corrected", "pruned"]
"""Whether a read has the same answer now, another one, or one that cannot be compared any more."""
Record = DecisionRecord | OrderRecord
"""A record of the audit log, whose reads can be replayed."""
_STREAM = "iter_bar_tables"
_STATES = ("load_strategy_state", "load_versioned_state", "state_history")


class ChangedRow(Struct, frozen=True):
    """A row of an answer as it was read (`before`) and as it is answered now (`after`).

    None stands for no row. `timestamp` is the date of a bar, or the timestamp of a fundamental or
    an event, in aware UTC. `recorded_at` is when the store recorded the last change of it, None if
    that is not known. A row of a table is a dict.
    """

    symbol: str | None
    timestamp: datetime | None
    before: Any
    after: Any
    recorded_at: datetime | None = None


class ReplayedRead(Struct, frozen=True):
    """A read and what became of its answer.

    `status` is "same", "corrected" or, if it is another one and the history of then is gone,
    "pruned". `rows` are the rows that differ; a store without `History` does not know them.
    """

    read: Read
    status: Status
    rows: tuple[ChangedRow, ...] = ()


class Replay(Struct, frozen=True):
    """The reads behind a record, each asked again. A record without receipts has none."""

    record: Record
    reads: tuple[ReplayedRead, ...]

    @property
    def status(self) -> Status:
        """The worst of the reads: "pruned", then "corrected", then "same"."""
        found = {each.status for each in self.reads}
        return "pruned" if "pruned" in found else "corrected" if "corrected" in found else "same"


def replay(store: DataStore, record: Record) -> Replay:
    """Ask the questions behind a record again, of any store, as of then.

    Raises `InvalidData` if `record` is not a record, or if a read cannot be asked again.
    """
    if not isinstance(record, Record):
        raise InvalidData(
            f"record={shown(record)}: expected a record, as read_decisions and read_orders return "
            f"them, got {type(record).__name__}"
        )
    return Replay(record, tuple(replayed(store, each, record.run) for each in reads_of(record)))


def replayed(store: DataStore, read: Read, run: str | None = None) -> ReplayedRead:
    """Ask the question of a receipt again, as of then; `run` is the run of its record."""
    try:
        now = answer_to(store, read, read.recorded, run)
        if _is_answer(read, now):
            return ReplayedRead(read, "same")
        if not has_method(store, "bar_versions"):
            return ReplayedRead(read, "corrected")
        if read.recorded is None:
            then = answer_to(store, read, read.read_at, run)
            if _is_answer(read, then):
                return ReplayedRead(read, "corrected", tuple(_changes(store, read, then, now)))
    except HistoryPruned:
        return ReplayedRead(read, "pruned")
    return ReplayedRead(read, "pruned" if _may_lack_forming(store, read) else "corrected")


def _may_lack_forming(store: Any, read: Read) -> bool:
    """Return whether a read may have shown a bar that was forming, of a version pruned since."""
    as_of = exact_instant(read.as_of, "as_of")
    if METHODS[read.call].kind != "bars" or as_of < recording_began(store):
        return False
    pruned = store.recording().pruned_before
    return pruned is not None and as_of < exact_instant(pruned, "pruned_before")


def reads_of(record: Record) -> list[Read]:
    """Return the receipts of a record. Raises `InvalidData` if one is malformed."""
    try:
        return [msgspec.convert(each, Read) for each in record.reads or ()]
    except msgspec.ValidationError as error:
        raise InvalidData(f"record {record.seq}: a read of it is not a receipt: {error}") from None


def answer_to(
    store: DataStore, read: Read, recorded: datetime | None, run: str | None = None
) -> Any:
    """Return the answer to the question of a receipt, from what was recorded by a moment.

    `run` is that of its record. A stream is returned as one table, None if it has no piece.
    """
    question = _question(read)
    view = at(store, read.as_of, recorded=recorded, run=run, lengths=question.lengths)
    if run is not None and METHODS[read.call].kind in ("states", "audit"):
        return _of_run(view, read, question.arguments)
    found = getattr(view, read.call)(**question.arguments)
    if read.call != _STREAM:
        return found
    pieces = list(found)
    if not pieces:
        return None
    import pyarrow as pa

    whole = pa.concat_tables(pieces)
    return whole if question.first is None else whole.slice(0, question.first)


def _of_run(view: Any, read: Read, arguments: dict[str, Any]) -> Any:
    """Return what a run had saved or logged when it read it.

    A run often stands at the time of a view for long: it reads its state, and saves the next one
    as of the same time.
    """
    if METHODS[read.call].kind == "audit":
        found = getattr(view, read.call)(**arguments)
        return [each for each in found if _utc(each.timestamp) <= read.read_at]
    if not isinstance(view, VersionedState) or read.call not in _STATES:
        return getattr(view, read.call)(**arguments)
    kept = view.state_history(**arguments)
    known = [each for each in kept if each.saved_at is None or each.saved_at <= read.read_at]
    if kept and not known and kept[-1].version != 1:
        raise HistoryPruned("the state that was read is not kept any more")
    if read.call == "state_history":
        return known
    newest = known[0] if known else StateVersion(0, None)
    return newest if read.call == "load_versioned_state" else newest.state


class Seen(NamedTuple):
    """The answer that was read."""

    answer: Any


def seen(store: DataStore, read: Read, run: str | None = None) -> Seen | None:
    """Return what was read, proven by its checksum; None if the store cannot show it any more."""
    moments = [read.recorded]
    if read.recorded is None and has_method(store, "bar_versions"):
        moments.append(read.read_at)
    for moment in moments:
        try:
            answer = answer_to(store, read, moment, run)
        except HistoryPruned:
            continue
        if _is_answer(read, answer):
            return Seen(answer)
    return None


class _Question(NamedTuple):
    """The arguments of a receipt as they are passed to its call."""

    arguments: dict[str, Any]
    lengths: dict[str, timedelta] | None
    first: int | None


def _question(read: Read) -> _Question:
    if read.call not in METHODS or METHODS[read.call].is_write:
        raise InvalidData(f"a read of {shown(read.call)} cannot be replayed: it reads nothing")
    given = dict(read.arguments)
    lengths, first = given.pop("lengths", None), given.pop("first", None)
    defaults = inspect.signature(declaration(read.call)).parameters
    unknown = sorted(given.keys() - defaults.keys())
    if unknown:
        raise InvalidData(f"a read of {read.call} has no argument {shown(unknown[0])}")
    named = {name: value for name, value in given.items() if value != defaults[name].default}
    if isinstance(named.get("as_of"), str):  # it takes no text
        named["as_of"] = datetime.fromisoformat(named["as_of"])
    spans = lengths and {name: timedelta(seconds=each) for name, each in lengths.items()}
    return _Question(named, spans, first)


def _is_answer(read: Read, answer: Any) -> bool:
    return checksum(answer) == (read.rows, read.sha256)


class _Row(NamedTuple):
    """A row of an answer and what identifies it."""

    key: Any
    symbol: str | None
    at: int | None
    value: Any


def _changes(store: Any, read: Read, before: Any, after: Any) -> Iterator[ChangedRow]:
    """Yield the rows that differ, in the order of the answers."""
    old = {row.key: row for row in _rows(before)}
    new = {row.key: row for row in _rows(after)}
    for key, row in {**old, **new}.items():
        one, other = old.get(key), new.get(key)
        if one is None or other is None or _differ(one.value, other.value):
            moment = None if row.at is None else to_datetime(row.at, aware=True)
            values = one and one.value, other and other.value
            when = _recorded(store, read, row, moment)
            yield ChangedRow(row.symbol, moment, *values, when)


def _differ(one: Any, other: Any) -> bool:
    """Return whether two rows differ, bit for bit."""
    if not isinstance(one, PriceBar):
        return checksum(one) != checksum(other)
    if one.extra or other.extra:  # which may have floats that are not finite
        return checksum([one]) != checksum([other])
    return repr(one) != repr(other)  # 20 times as fast


def _rows(answer: Any) -> Iterable[_Row]:
    if hasattr(answer, "schema"):
        return [_table_row(number, row) for number, row in enumerate(answer.to_pylist())]
    values = answer if isinstance(answer, list) else [answer] if answer is not None else []
    seen: dict[Any, int] = {}
    rows = []
    for row in map(_row, values):
        seen[row.key] = number = seen.get(row.key, -1) + 1  # identical events are all kept
        rows.append(row._replace(key=(row.key, number)))
    return rows


def _row(value: Any) -> _Row:
    if isinstance(value, PriceBar):
        at = exact_instant(value.date, "date")
        return _Row(at, value.symbol, at, value)
    if isinstance(value, FundamentalData):
        at = exact_instant(value.timestamp, "timestamp")
        return _Row(at, value.symbol, at, value)
    if isinstance(value, Event):
        at = exact_instant(value.timestamp, "timestamp")
        return _Row(checksum([value]), value.symbol, at, value)
    if isinstance(value, str):
        return _Row(value, value, None, value)
    named = getattr(value, "symbol", None), getattr(value, "timeframe", None)
    number = getattr(value, "seq", getattr(value, "version", None))
    return _Row((*named, number), named[0], None, value)


def _table_row(number: int, row: dict[str, Any]) -> _Row:
    """Return a row of a table without nulls: so a column without values does not count."""
    known = {name: value for name, value in row.items() if value is not None}
    symbol, volume = known.get("symbol"), known.get("volume")
    if isinstance(volume, float) and volume.is_integer():  # its type depends on other rows
        known["volume"] = int(volume)
    if "date" not in known:
        return _Row(number, symbol, None, known)
    at = exact_instant(known["date"], "date")
    return _Row((symbol, at), symbol, at, known)


def _recorded(store: Any, read: Read, row: _Row, moment: datetime | None) -> datetime | None:
    """Return when the last change of a row was recorded."""
    if moment is None or (row.symbol is None and not isinstance(row.value, Event)):
        return None
    if isinstance(row.value, Event):
        known = store.event_versions(moment, moment, [row.value.type], symbols=[row.symbol])
        versions = [each for each in known if not _differ(each.event, _in_utc(row.value))]
    elif isinstance(row.value, FundamentalData):
        versions = store.fundamental_versions(row.symbol, moment, moment)
    else:
        timeframe = read.arguments.get("timeframe", "1d")
        versions = store.bar_versions(row.symbol, moment, moment, timeframe=timeframe)
    instants = {at for each in versions for at in (each.recorded_at, each.replaced_at)}
    return max(instants - {None}, default=None)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _in_utc(event: Event) -> Event:
    if event.timestamp.tzinfo is not None:
        return event
    times = {
        name: getattr(event, name).replace(tzinfo=UTC) for name in ("timestamp", "ingested_at")
    }
    return msgspec.structs.replace(event, **times)
