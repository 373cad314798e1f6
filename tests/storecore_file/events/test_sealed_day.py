"""A sealed day of events: its columns, and law D5 for every byte of it."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storecore.errors import CorruptData
from storecore_file.events.days import SealedDay, decode_day, encode_day
from storecore_file.fs.seal import sealed_parquet

PATH = Path("events/2026-01-05.parquet")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def day(event):
    payloads = [{}, {"ratio": 0.1, "deep": {"list": [1, None, "ü", 2**60 + 1]}}, {"n": 1}]
    events = [event(NOON - timedelta(hours=n), payload=load) for n, load in enumerate(payloads)]
    return SealedDay(4, [*events, event(NOON, symbol=None)])


@pytest.fixture
def content(day):
    return encode_day(day)


def test_events_come_back_as_they_were_given_and_in_that_order(day, content):
    assert decode_day(content, PATH) == day


def test_a_day_with_the_instants_of_other_events_is_refused(day):
    content = encode_day(day._replace(recorded=(5, 6)))
    with pytest.raises(CorruptData, match="it says of 2 events when they were"):
        decode_day(content, PATH)


def test_a_day_without_events_comes_back():
    assert decode_day(encode_day(SealedDay(0, [])), PATH) == SealedDay(0, [])


def test_its_columns_are_those_of_an_event(content):
    schema = pq.read_schema(io.BytesIO(content))
    assert dict(zip(schema.names, map(str, schema.types), strict=True)) == {
        "type": "string",
        "symbol": "string",
        "timestamp": "timestamp[us, tz=UTC]",
        "ingested_at": "timestamp[us, tz=UTC]",
        "source": "string",
        "payload": "string",
    }


def test_d5_no_flipped_bit_changes_what_is_read(day, content):
    unnoticed = []
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        try:
            if decode_day(bytes(damaged), PATH) != day:
                unnoticed.append(position)
        except CorruptData:
            pass
    assert unnoticed == []


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: b"garbage", lambda content: content[:-1]],
    ids=["emptied", "garbage", "cut"],
)
def test_d5_a_file_that_is_not_whole_is_corrupt_and_named(content, damage):
    with pytest.raises(CorruptData, match="not a whole file of events") as caught:
        decode_day(damage(content), PATH)
    assert caught.value.path == str(PATH)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns("symbol"),
        lambda table: table.replace_schema_metadata(None),
        lambda table: table.set_column(5, "payload", pa.array(["{"] * len(table))),
    ],
    ids=["fewer columns", "no note", "payloads of no JSON"],
)
def test_d5_a_file_that_another_program_rewrote_is_not_taken_for_ours(content, change):
    sink = io.BytesIO()
    pq.write_table(change(pq.read_table(io.BytesIO(content))), sink)
    with pytest.raises(CorruptData, match="not a whole file of events"):
        decode_day(sealed_parquet(sink.getvalue()), PATH)


def test_d5_places_that_are_not_one_for_each_event_are_damage(day):
    with pytest.raises(CorruptData, match="it says of 2 events"):
        decode_day(encode_day(day._replace(places=[1, 7])), PATH)


def test_places_with_gaps_come_back(day):
    gapped = day._replace(places=(1, 3, 4, 9))
    assert decode_day(encode_day(gapped), PATH) == gapped
