"""The dates of a file as instants, block by block.

ISO texts are read by Arrow. Of others, each different day and each different time of the day is
read once, by `days`. What the first block shows counts for the whole file: the unit of numbers, and
whether the day or the month comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.cli.imports.date_format import DateFormat
from storecore.cli.imports.days import Clock, clock_of, day_of, orders_of
from storecore.cli.imports.epochs import DIGITS, Epoch, epoch_of, is_calendar_only
from storecore.cli.imports.zones import Readings, readings_of
from storecore.cli.timestamps import parse_time
from storecore.errors import InvalidData
from storecore.store.frames.dates import zone_of_midnights
from storecore.store.frames.numbers import is_text
from storecore.values.times import instant

_SPLIT = (
    r"^(.*?)(?:(?:[T;]| +)(\d{1,2}:\d\d.*|\d{6}(?:\.\d+)?|\d{1,2}[ -]?[AaPp][Mm]"
    r"|\d\d(?:[+-]\d\d(?::?\d\d)?|Z)?))?$"
)
_PARTS = r"\1", r"\2"
_MICROS = pa.timestamp("us")


class Moments(NamedTuple):
    """The instants of a block (null: a bad row), with `Readings` of local times.

    `given` are the times of bars that are filed under their written days.
    """

    readings: Readings
    given: pa.Array | None = None


class _Local(NamedTuple):
    """Times as they are written, in microseconds. `is_time` says which have a time of the day.

    `zones` maps a row to the zone that is written in it; others are local to the file's.
    """

    micros: pa.Array
    is_time: pa.Array
    zones: dict[tzinfo, list[int]]
    problems: dict[int, str]


class Dates:
    """Reads the dates of one file. With `written`, a time stands for its written day."""

    def __init__(self, zone: tzinfo, written: bool, date_format: DateFormat | None) -> None:
        self._zone, self._written, self._format = zone, written, date_format
        self._order = None if date_format is None else date_format.order
        self._epoch: Epoch | None = None
        self._calendar: str | None = None
        self._begun = False
        self._are_midnights = True
        self._elsewhere = ""
        self._named_zone: tzinfo | None = None

    @property
    def notes(self) -> list[str]:
        """What was recognized, to be reported."""
        if self._epoch is not None:
            return [f"dates: {self._epoch.name} since 1970"]
        return ["dates: the digits of a date and time"] if self._calendar else []

    @property
    def midnights(self) -> str:
        """The zone of which all dates are midnights, if they are not those of UTC."""
        return self._elsewhere if self._are_midnights else ""

    @property
    def zone(self) -> tzinfo:
        """The zone of times that occurred twice."""
        return self._named_zone or self._zone

    def moments(self, cells: pa.Array, clocks: pa.Array | None) -> Moments:
        """Return the instants of a block."""
        if pa.types.is_integer(cells.type):
            cells = pc.cast(cells, pa.string())
        if not (is_text(cells.type) or pa.types.is_null(cells.type)):
            said = [f"date={each!r}: expected a date or a time" for each in cells.to_pylist()]
            none = pa.nulls(len(cells), pa.int64())
            return Moments(Readings(none, {}, [], dict(enumerate(said))))
        texts = pc.fill_null(pc.cast(cells, pa.string()), "")
        if clocks is None and not (self._format or self._epoch or self._calendar):
            found = self._quick(texts)
            if found is not None:
                return found
        texts = pc.utf8_trim_whitespace(texts)
        if not self._begun:
            self._begin(texts)
        return self._slow(texts, clocks)

    def _begin(self, texts: pa.Array) -> None:
        """Recognize what numbers are, and the order of days and months, in the first rows."""
        self._begun = bool(len(texts))
        given = texts.filter(pc.not_equal(texts, ""))
        digits = pc.match_substring_regex(given, DIGITS)
        if self._format is None and len(given) and pc.all(digits).as_py():
            with suppress(pa.ArrowInvalid):
                numbers = _whole(given)
                self._epoch, self._calendar = epoch_of(numbers), is_calendar_only(numbers)
        elif self._order is None and self._format is None:
            days = pc.replace_substring_regex(given, _SPLIT, r"\1")
            self._order = _order_in(pc.unique(days).to_pylist())

    def _quick(self, texts: pa.Array) -> Moments | None:
        """Return the instants of ISO texts that all have an offset, or none."""
        with suppress(pa.ArrowInvalid):
            micros = pc.cast(pc.cast(texts, _MICROS), pa.int64())
            is_time = pc.greater(pc.binary_length(texts), 10)
            return self._placed(_Local(micros, is_time, {}, {}))
        if self._written:
            return None
        with suppress(pa.ArrowInvalid):
            found = pc.cast(pc.cast(texts, pa.timestamp("us", "UTC")), pa.int64())
            if self._are_midnights:
                self._see(zone_of_midnights(pa.chunked_array([texts])))
            return Moments(Readings(found, {}, [], {}))
        return None

    def _slow(self, texts: pa.Array, clocks: pa.Array | None) -> Moments:
        if self._epoch is not None:
            return self._of_epochs(texts)
        days, times = self._split(texts, clocks)
        local = _local_of(days, times, *self._readers())
        return self._placed(_with_others(local, texts, clocks, self._format))

    def _split(self, texts: pa.Array, clocks: pa.Array | None) -> tuple[pa.Array, pa.Array]:
        """Return the days and the times of the day of texts."""
        if clocks is not None:
            return texts, pc.utf8_trim_whitespace(pc.fill_null(pc.cast(clocks, pa.string()), ""))
        if self._calendar is not None:
            return pc.utf8_slice_codeunits(texts, 0, 8), pc.utf8_slice_codeunits(texts, 8)
        if self._format is not None and not self._format.order:
            return self._format.split(texts)
        days, times = (pc.replace_substring_regex(texts, _SPLIT, each) for each in _PARTS)
        return days, times

    def _readers(self) -> tuple[Callable[[str], Any], Callable[[str], Clock]]:
        if self._format is not None and not self._format.order:
            return self._format.day, self._format.clock
        return lambda text: day_of(text, self._order), clock_of

    def _of_epochs(self, texts: pa.Array) -> Moments:
        assert self._epoch is not None
        sound = pc.match_substring_regex(texts, DIGITS)
        found, problems = self._epoch.instants(_whole(pc.if_else(sound, texts, None)))
        for row in pc.indices_nonzero(pc.invert(sound)).to_pylist():
            problems[row] = (
                f"date={texts[row].as_py()!r}: expected {self._epoch.name} since 1970, "
                "as others are"
            )
        if self._written:
            local = found if self._zone is UTC else _in_zone(found, self._zone)
            return self._written_days(local, found, problems)
        self._are_midnights = False
        return Moments(Readings(_without(found, problems), {}, [], problems))

    def _placed(self, local: _Local) -> Moments:
        """Return the instants of times as they are written."""
        micros = _without(local.micros, local.problems)
        if self._written:
            given = _shifted(micros, local, UTC).instants
            return self._written_days(micros, given, local.problems)
        found = _shifted(micros, local, self._zone)
        self._named_zone = next(iter(local.zones), self._named_zone)
        self._see_local(micros, found.instants, local)
        return Moments(found._replace(problems=local.problems | found.problems))

    def _written_days(self, local: pa.Array, given: pa.Array, problems: dict[int, str]) -> Moments:
        self._are_midnights = False
        days = pc.cast(pc.floor_temporal(pc.cast(local, _MICROS), unit="day"), pa.int64())
        return Moments(
            Readings(_without(days, problems), {}, [], problems), _without(given, problems)
        )

    def _see_local(self, micros: pa.Array, instants: pa.Array, local: _Local) -> None:
        """Notice whether all times are midnights where they are, and some are not in UTC."""
        if not self._are_midnights or not len(micros):
            return
        is_midnight = pc.and_(local.is_time, _is_midnight(micros))
        if pc.all(is_midnight).as_py() is False:
            self._are_midnights = False
        elif not self._elsewhere and pc.all(_is_midnight(instants)).as_py() is False:
            self._elsewhere = str(next(iter(local.zones), self._zone))

    def _see(self, zone: str) -> None:
        self._are_midnights = bool(zone)
        self._elsewhere = self._elsewhere or zone


def _is_midnight(micros: pa.Array) -> pa.Array:
    moments = pc.cast(micros, _MICROS)
    return pc.equal(pc.floor_temporal(moments, unit="day"), moments)


def _whole(texts: pa.Array) -> pa.Array:
    return pc.cast(pc.replace_substring_regex(texts, r"\.0*$", ""), pa.int64())


def _in_zone(instants: pa.Array, zone: tzinfo) -> pa.Array:
    """Return the local times of instants."""
    offsets = [
        None if each is None else each.astimezone(zone).utcoffset()
        for each in pc.cast(instants, pa.timestamp("us", "UTC")).to_pylist()
    ]
    return pc.add(instants, pc.cast(pa.array(offsets, pa.duration("us")), pa.int64()))


def _without(values: pa.Array, rows: Iterable[int]) -> pa.Array:
    """Return values with nulls in some rows."""
    wrong = list(rows)
    return pc.if_else(_mask(wrong, len(values)), None, values) if wrong else values


def _order_in(texts: list[str]) -> str | None:
    """Return the order of days such as 01/03/2024, None if there are none or both orders fit."""
    orders = orders_of(texts) or []
    return orders[0] if len(orders) == 1 else None


def _unread(text: str, error: InvalidData) -> str:
    """Return what is wrong with a date, with both readings of an ambiguous one."""
    day = text.partition(" ")[0]
    orders = orders_of([day]) or orders_of([day], short=True) or []
    if len(orders) < 2:
        return f"{error}; for another form give --date-format"
    both = " or ".join(f"{day_of(day, order)} (--date-format {order})" for order in orders)
    return f"date={text!r} may be {both}, and no date before decides: give one of them"


def _local_of(
    days: pa.Array, clocks: pa.Array, day: Callable[[str], Any], clock: Callable[[str], Clock]
) -> _Local:
    """Return times from their days and times of the day, each different one read once."""
    by_day, day_at = _each(days, lambda text: instant(day(text), "date"))
    by_clock, clock_at = _each(clocks, clock)
    starts = pa.array(by_day, pa.int64()).take(day_at)
    micros = pa.array([None if each is None else each.micros for each in by_clock], pa.int64())
    has_none = pc.equal(clocks, "")
    found = pc.add(starts, pc.if_else(has_none, 0, micros.take(clock_at)))
    zones: dict[tzinfo, list[int]] = {}
    for at, each in enumerate(by_clock):
        if each is not None and each.zone is not None:
            rows = pc.indices_nonzero(pc.equal(clock_at, at)).to_pylist()
            zones.setdefault(each.zone, []).extend(rows)
    return _Local(found, pc.invert(has_none), zones, {})


def _with_others(
    local: _Local, texts: pa.Array, clocks: pa.Array | None, form: DateFormat | None
) -> _Local:
    """Return times with those that only `parse_time` reads, and the problems of the rest."""
    rows = pc.indices_nonzero(pc.is_null(local.micros)).to_pylist()
    if not rows:
        return local
    values: list[int | None] = []
    is_time = local.is_time.to_pylist()
    for row in rows:
        text = texts[row].as_py()
        moment: Any = None
        try:
            if form is not None:
                raise InvalidData(f"date={text!r}: expected {form.text}, as --date-format says")
            clock = "" if clocks is None else f" {clocks[row].as_py()}"
            moment = parse_time(f"{text}{clock}", "date")
        except InvalidData as error:
            local.problems[row] = str(error) if form is not None else _unread(text, error)
        values.append(None if moment is None else _plain_instant(moment))
        is_time[row] = isinstance(moment, datetime)
        if is_time[row] and moment.tzinfo is not None:
            local.zones.setdefault(moment.tzinfo, []).append(row)
    mask = _mask(rows, len(texts))
    found = pc.replace_with_mask(local.micros, mask, pa.array(values, pa.int64()))
    return local._replace(micros=found, is_time=pa.array(is_time, pa.bool_()))


def _plain_instant(moment: Any) -> int:
    """Return the instant of a time as if it were one of UTC."""
    return instant(moment.replace(tzinfo=None) if isinstance(moment, datetime) else moment, "date")


def _mask(rows: list[int], count: int) -> pa.Array:
    return pc.is_in(pa.array(range(count), pa.int64()), value_set=pa.array(rows, pa.int64()))


def _shifted(micros: pa.Array, local: _Local, zone: tzinfo) -> Readings:
    """Return the instants of times that are local to `zone`, or to the zones that they name."""
    shares = dict(local.zones)
    if zone is not UTC:
        named = [row for rows in shares.values() for row in rows]
        rest = pc.and_(local.is_time, pc.invert(_mask(named, len(micros))))
        shares[zone] = shares.get(zone, []) + pc.indices_nonzero(rest).to_pylist()
    found = Readings(micros, {}, [], {})
    for each, rows in shares.items():
        if each is UTC:
            continue
        mask = _mask(rows, len(micros))
        own = readings_of(pc.if_else(mask, micros, None), each)
        found = Readings(
            pc.if_else(mask, own.instants, found.instants),
            found.later | own.later,
            sorted({*found.near, *own.near}),
            found.problems | own.problems,
        )
    return found


def _each(texts: pa.Array, read: Callable[[str], Any]) -> tuple[list[Any], pa.Array]:
    """Return the values of the different texts, None for an unreadable one, and their rows."""
    coded = pc.dictionary_encode(texts)
    values = []
    for text in coded.dictionary.to_pylist():
        try:
            values.append(read(text.strip()))
        except ValueError:
            values.append(None)
    return values, coded.indices
