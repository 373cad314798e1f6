"""A sealed day of events: its columns, what a question reads of it, and law D5 for every byte."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from storecore.errors import CorruptData
from storecore.events import EventQuery, event_filter
from storecore.values.times import EVER, TimeRange, exact_instant
from storecore_file.events import sealed as module
from storecore_file.events.history import Held
from storecore_file.events.sealed import SealedDay, encode
from storecore_file.fs.seal import sealed_parquet

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def events(event):
    payloads = [{}, {"ratio": 0.1, "deep": {"list": [1, None, "ü", 2**60 + 1]}}, {"n": 1}]
    found = [event(NOON - timedelta(hours=n), payload=load) for n, load in enumerate(payloads)]
    return [*found, event(NOON, symbol=None)]


@pytest.fixture
def many(event):
    """500 events, 7 s apart, of five types and seven symbols, some of them of the system."""
    symbols = [None, *"ABCDEF"]
    return [
        event(
            NOON + timedelta(seconds=7 * n),
            type=f"type {n % 5}",
            symbol=symbols[n % 7],
            ingested_at=NOON + timedelta(seconds=7 * n + n % 3),
            payload={"n": n},
        )
        for n in range(500)
    ]


@pytest.fixture
def small_groups(monkeypatch):
    monkeypatch.setattr(module, "GROUP_ROWS", 64)


def instant(seconds):
    return exact_instant(NOON, "at") + round(seconds * 1_000_000)


def asked(query):
    return lambda day: [each.event for each in day.rows(query)]


def read_groups(monkeypatch):
    """Return a list that gets the number of each row group that is read."""
    real, numbers = SealedDay._group, []

    def group(self, number, *columns):
        numbers.append(number)
        return real(self, number, *columns)

    monkeypatch.setattr(SealedDay, "_group", group)
    return numbers


def test_events_come_back_by_time_with_their_numbers(events, sealed_now, reading):
    found = reading(sealed_now(events))
    assert [(each.place, each.event) for each in found] == [
        (number, events[number - 1]) for number in (3, 2, 1, 4)
    ]


def test_instants_of_recording_come_back(events, reading):
    rows = [Held(events[0], 5, None, 1), Held(events[0], None, None, 2)]
    assert reading(encode(rows, lambda: (2, 0))) == rows


def test_a_day_without_events_comes_back_with_its_numbers(reading):
    content = encode([], lambda: (7, 3))
    assert reading(content) == []
    assert reading(content, lambda day: (day.through, day.changed, day.symbols())) == (7, 3, set())


def test_its_columns_are_those_of_a_line(events, sealed_now):
    schema = pq.read_schema(io.BytesIO(sealed_now(events)))
    assert dict(zip(schema.names, map(str, schema.types), strict=True)) == {
        "type": "string",
        "symbol": "string",
        "timestamp": "timestamp[us, tz=UTC]",
        "ingested_at": "timestamp[us, tz=UTC]",
        "source": "string",
        "payload": "string",
        "recorded": "int64",
        "n": "int64",
    }


def test_another_program_finds_the_times_and_names_of_each_row_group(
    many, sealed_now, small_groups
):
    metadata = pq.read_metadata(io.BytesIO(sealed_now(many)))
    assert metadata.num_row_groups == 8
    for name in ("type", "symbol", "timestamp"):
        column = metadata.schema.names.index(name)
        assert all(
            metadata.row_group(each).column(column).statistics.has_min_max for each in range(8)
        )


@pytest.mark.parametrize("old", [False, True], ids=["this version", "version 1"])
@pytest.mark.parametrize(
    "query",
    [
        EventQuery(EVER),
        EventQuery(TimeRange(instant(700), instant(770), True)),
        EventQuery(TimeRange(instant(4000), instant(4001), True)),
        EventQuery(EVER, frozenset(["type 2"])),
        EventQuery(EVER, frozenset()),
        EventQuery(EVER, frozenset(["type 2", "no such"]), frozenset(["A", None])),
        EventQuery(EVER, None, frozenset([None])),
        EventQuery(EVER, ingested_by=instant(71)),
    ],
)
def test_a_question_finds_what_a_filter_of_all_events_finds(
    many, sealed_now, sealed_by_an_older_release, reading, small_groups, query, old
):
    content = (sealed_by_an_older_release if old else sealed_now)(many)
    assert reading(content, asked(query)) == list(filter(event_filter(query), many))


@settings(max_examples=20, deadline=None, phases=[Phase.generate])
@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["A", "B", None])), max_size=30),
    st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted),
    st.sampled_from([None, frozenset(["A"]), frozenset(["B", None])]),
)
def test_any_question_finds_what_a_filter_of_all_events_finds(
    reading, event_at, sealed_in_groups, rows, bounds, symbols
):
    events = [event_at(second, symbol, n) for n, (second, symbol) in enumerate(rows)]
    query = EventQuery(TimeRange(*map(instant, bounds), True), None, symbols)
    found = reading(sealed_in_groups(events), asked(query))
    expected = sorted(filter(event_filter(query), events), key=lambda each: each.timestamp)
    assert found == expected


@pytest.fixture(scope="module")
def event_at():
    from storecore import Event

    def make(second, symbol, n):
        at = NOON + timedelta(seconds=second)
        return Event("t", symbol, at, at, "test", {"n": n})

    return make


@pytest.fixture(scope="module")
def sealed_in_groups():
    def seal(events):
        held = [Held(event, None, None, place) for place, event in enumerate(events, 1)]
        held.sort(key=lambda each: each.event.timestamp)
        before, module.GROUP_ROWS = module.GROUP_ROWS, 4
        try:
            return encode(held, lambda: (len(events), 0))
        finally:
            module.GROUP_ROWS = before

    return seal


def test_a_question_reads_only_the_row_groups_of_its_time(
    many, sealed_now, reading, small_groups, monkeypatch
):
    content = sealed_now(many)
    numbers = read_groups(monkeypatch)
    reading(content, asked(EventQuery(TimeRange(instant(700), instant(770), True))))
    assert numbers == [1]


def test_a_question_for_a_rare_type_reads_only_the_row_groups_that_have_it(
    many, event, sealed_now, reading, small_groups, monkeypatch
):
    content = sealed_now([*many, event(NOON + timedelta(seconds=2000), type="split")])
    numbers = read_groups(monkeypatch)
    assert len(reading(content, asked(EventQuery(EVER, frozenset(["split"]))))) == 1
    assert numbers == [4]


def test_the_symbols_of_row_groups_with_many_are_found_too(event, sealed_now, reading):
    names = {f"SYM{n}" for n in range(100)}
    content = sealed_now([event(NOON, symbol=name) for name in sorted(names)])
    assert reading(content, lambda day: day.symbols()) == names


def test_a_long_end_is_read_further(many, sealed_now, reading, small_groups, monkeypatch):
    monkeypatch.setattr(module, "_TAIL", 40)
    assert [each.event for each in reading(sealed_now(many))] == many


def test_d5_no_flipped_bit_changes_what_is_read(events, sealed_now, reading):
    content = sealed_now(events)
    expected, unnoticed = reading(content), []
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        try:
            if reading(bytes(damaged)) != expected:
                unnoticed.append(position)
        except CorruptData:
            pass
    assert unnoticed == []


def test_d5_no_flipped_bit_of_an_older_day_changes_what_is_read(
    events, sealed_by_an_older_release, reading
):
    content = sealed_by_an_older_release(events)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(CorruptData):
            reading(bytes(damaged))


def test_d5_damage_of_a_row_group_is_found_by_who_reads_it(many, sealed_now, reading, small_groups):
    content = bytearray(sealed_now(many))
    content[100] ^= 1
    late = EventQuery(TimeRange(instant(3000), instant(3100), True))
    assert len(reading(bytes(content), asked(late))) == 14
    with pytest.raises(CorruptData, match=r"the checksum of bytes 4 to \d+ is wrong"):
        reading(bytes(content))


@pytest.mark.parametrize("old", [False, True], ids=["this version", "version 1"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"garbage",
        lambda content: b"garbage that is a bit longer than a seal",
        lambda content: content[:-1],
        lambda content: content[50:],
        lambda content: content[:-8] + b"\xff\xff\xff\x7f" + content[-4:],
    ],
    ids=["emptied", "short", "garbage", "cut", "without its beginning", "long footer"],
)
def test_d5_a_file_that_is_not_whole_is_corrupt_and_named(
    events, sealed_now, sealed_by_an_older_release, reading, damage, old
):
    content = damage((sealed_by_an_older_release if old else sealed_now)(events))
    with pytest.raises(CorruptData, match="not a whole file of events") as caught:
        reading(content)
    assert caught.value.path == "events/2026-01-05.parquet"


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns("symbol"),
        lambda table: table.replace_schema_metadata(None),
        lambda table: table.set_column(5, "payload", [["{"] * len(table)]),
    ],
    ids=["fewer columns", "no metadata", "payloads of no JSON"],
)
def test_d5_an_older_day_that_another_program_rewrote_is_not_taken_for_ours(
    events, sealed_by_an_older_release, reading, change
):
    with pytest.raises(CorruptData, match="not a whole file of events"):
        reading(sealed_by_an_older_release(events, change=change))


def test_d5_a_day_that_another_program_rewrote_is_not_taken_for_ours(events, sealed_now, reading):
    table = pq.read_table(io.BytesIO(sealed_now(events)))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    with pytest.raises(CorruptData, match="not a whole file of events"):
        reading(sealed_parquet(sink.getvalue()))


def test_d5_other_columns_are_damage(events, sealed_now, reading, monkeypatch):
    content = sealed_now(events)
    monkeypatch.setattr(module, "SCHEMA", module._OLD_SCHEMA)
    with pytest.raises(CorruptData, match="it has 4 rows of"):
        reading(content)


def test_a_day_of_a_later_version_is_refused(events, reading, sealed_now, monkeypatch):
    monkeypatch.setattr(module, "VERSION", 3)
    content = sealed_now(events)
    monkeypatch.undo()
    with pytest.raises(CorruptData, match="it has version 3, this release reads up to 2"):
        reading(content)


@pytest.mark.parametrize("old", [False, True], ids=["this version", "version 1"])
def test_events_of_another_day_are_damage(
    event, sealed_now, sealed_by_an_older_release, reading, old
):
    content = (sealed_by_an_older_release if old else sealed_now)([event(NOON + timedelta(days=1))])
    with pytest.raises(CorruptData, match=r"expected events of its day, found \['2026-01-06'\]"):
        reading(content)


def test_an_older_day_has_the_numbers_that_end_with_its_last(
    events, sealed_by_an_older_release, reading
):
    found = reading(sealed_by_an_older_release(events, through=9))
    assert [each.place for each in found] == [8, 7, 6, 9]
    assert [each.recorded for each in found] == [None] * 4


def test_an_older_day_has_the_places_and_instants_that_it_says(
    events, sealed_by_an_older_release, reading
):
    content = sealed_by_an_older_release(events, 9, recorded=[5, 6, 7, 8], places=[1, 3, 4, 9])
    assert [(each.place, each.recorded) for each in reading(content)] == [
        (4, 7),
        (3, 6),
        (1, 5),
        (9, 8),
    ]


@pytest.mark.parametrize("said", [{"recorded": [5, 6]}, {"places": [1, 7]}])
def test_d5_values_that_are_not_one_for_each_event_are_damage(
    events, sealed_by_an_older_release, reading, said
):
    with pytest.raises(CorruptData, match="it says of 2 events"):
        reading(sealed_by_an_older_release(events, **said))


def test_the_symbols_of_an_older_day_are_found(events, sealed_by_an_older_release, reading):
    found = reading(sealed_by_an_older_release(events), lambda day: day.symbols())
    assert found == {"AAPL", None}
