"""The room of events: lines that are numbered within their day, and days that are sealed."""

from __future__ import annotations

import errno
import json
import os
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore.errors import CorruptData, StorageError
from storecore_file import FileDataStore
from storecore_file.store_format import SEALED

JAN_5, JAN_6 = datetime(2026, 1, 5), datetime(2026, 1, 6)


@pytest.fixture
def log(base):
    return base / "events" / "2026-01-05.jsonl"


@pytest.fixture
def sealed(base):
    return base / "events" / "2026-01-05.parquet"


def written(store, first=date.min, last=date.max):
    return store.read_events(first, last)


def numbers(log):
    return [json.loads(line)["n"] for line in log.read_text().splitlines()]


# Where events lie.


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        (JAN_5, "2026-01-05.jsonl"),
        (datetime(2026, 1, 5, 23, 59, 59, 999_999), "2026-01-05.jsonl"),
        (datetime.fromisoformat("2026-01-05T23:30:00-05:00"), "2026-01-06.jsonl"),
        (datetime.min, "0001-01-01.jsonl"),
        (datetime.max, "9999-12-31.jsonl"),
    ],
)
def test_an_event_goes_to_the_file_of_its_day_in_utc(store, base, event, moment, name):
    store.write_event(event(moment, ingested_at=JAN_5))
    assert [path.name for path in (base / "events").glob("[!.]*")] == [name]


def test_e3_a_late_event_goes_to_its_old_day_and_touches_no_other(store, base, event, log):
    store.write_event(event(JAN_6))
    other = base / "events" / "2026-01-06.jsonl"
    before = other.stat()
    store.write_event(event(JAN_5))
    assert (log.exists(), other.stat()) == (True, before)


def test_an_event_is_a_line_that_any_json_reader_takes(store, event, log):
    payload = {"ratio": "4:1", "ünï": [1, 0.5, None, True]}
    store.write_event(event(JAN_5, symbol=None, payload=payload))
    (line,) = log.read_bytes().splitlines()
    fields = json.loads(line)
    assert len(fields.pop("crc32")) == 8
    assert fields.pop("recorded") > 1_700_000_000_000_000
    assert fields == {
        "type": "news",
        "symbol": None,
        "timestamp": "2026-01-05T00:00:00Z",
        "ingested_at": "2026-01-05T00:00:00Z",
        "source": "feed",
        "payload": payload,
        "n": 1,
    }


def test_events_are_numbered_within_their_day(store, event, log):
    for hour in (3, 1, 2):
        store.write_event(event(JAN_5 + timedelta(hours=hour)))
        store.write_event(event(JAN_6))
    assert numbers(log) == [1, 2, 3]


def test_a_reader_opens_the_days_of_its_range_only(store, base, event):
    store.write_event(event(JAN_5))
    (base / "events" / "2026-01-04.jsonl").write_bytes(b"garbage\n")
    (base / "events" / "2026-01-06.parquet").write_bytes(b"garbage")
    assert written(store, JAN_5, JAN_5 + timedelta(hours=23)) == [event(JAN_5)]


def test_a_file_that_is_not_named_like_a_day_is_no_events(store, base, event):
    store.write_event(event(JAN_5))
    for name in ("2026-01-05.jsonl.torn", "notes.jsonl", "2026-1-5.jsonl", ".2026-01-05.jsonl"):
        (base / "events" / name).write_bytes(b"garbage\n")
    assert written(store) == [event(JAN_5)]


def test_e3_an_append_reads_the_end_of_its_day_only(store, event, log, monkeypatch):
    store.write_event(event(JAN_5))
    line = log.read_bytes()
    log.write_bytes(line * 50_000)
    real, read = os.pread, []

    def counted(file, length, offset):
        content = real(file, length, offset)
        read.append(len(content))
        return content

    monkeypatch.setattr(os, "pread", counted)
    store.write_event(event(JAN_5))
    assert sum(read) <= 4_096 + 128  # of the log, and of `.ends`


# Sealing.


@pytest.fixture
def three(event):
    """Three events of a day, not in the order of their times."""
    return [event(JAN_5 + timedelta(hours=hour), payload={"h": hour}) for hour in (3, 1, 2)]


@pytest.fixture
def day(store, three):
    for each in three:
        store.write_event(each)
    return sorted(three, key=lambda each: each.timestamp)


def test_compacting_replaces_the_lines_of_each_day_by_a_sealed_file(store, base, day, event):
    store.write_event(event(JAN_6))
    report = store.compact()
    names = sorted(path.name for path in (base / "events").glob("[!.]*"))
    assert names == ["2026-01-05.parquet", "2026-01-06.parquet"]
    assert (report.ok, report.checked) == (True, 2)
    assert report.actions == ("sealed the events of 2026-01-05", "sealed the events of 2026-01-06")


def test_a_sealed_day_is_read_as_before(store, day):
    store.compact()
    assert written(store) == day


def test_t2_the_times_of_a_sealed_event_are_in_the_same_utc_as_before(store, event, always):
    store.write_event(event(JAN_5))
    store.compact()
    (read,) = store.read_events(*always)
    assert (read.timestamp.tzinfo, read.ingested_at.tzinfo) == (UTC, UTC)


@given(
    payload=st.dictionaries(
        st.text(),
        st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.none(),
    )
)
def test_a_sealed_event_equals_the_one_that_was_written(tmp_path_factory, event, payload):
    with FileDataStore(tmp_path_factory.mktemp("data"), durability="os") as store:
        store.write_event(event(payload=payload, symbol=None))
        store.compact()
        assert written(store) == [event(payload=payload, symbol=None)]


def test_compacting_twice_changes_nothing_the_second_time(store, day, sealed):
    store.compact()
    before = sealed.read_bytes(), sealed.stat().st_mtime_ns
    report = store.compact()
    assert (report.checked, report.actions) == (0, ())
    assert (sealed.read_bytes(), sealed.stat().st_mtime_ns) == before


def test_compacting_nothing_is_fine(store, base):
    assert (store.compact().checked, written(store)) == (0, [])


def test_an_event_after_sealing_is_numbered_after_the_sealed_ones(store, day, event, log):
    store.compact()
    for _ in range(2):
        store.write_event(event(JAN_5))
    assert numbers(log) == [4, 5]
    assert written(store) == [event(JAN_5), event(JAN_5), *day]


def test_a_day_is_sealed_again_with_what_was_written_since(store, day, event, log):
    store.compact()
    store.write_event(event(JAN_5))
    store.compact()
    assert not log.exists()
    assert written(store) == [event(JAN_5), *day]


def test_e1_events_of_one_time_stay_in_the_order_of_writing_across_sealing(store, event):
    same = [event(JAN_5, payload={"i": number}) for number in range(6)]
    for number, each in enumerate(same):
        store.write_event(each)
        if number % 2:
            store.compact()
    assert written(store) == same


def test_lines_that_an_interrupted_sealing_left_are_not_counted_twice(store, day, log):
    lines = log.read_bytes()
    store.compact()
    log.write_bytes(lines)
    assert written(store) == day


def test_writing_goes_on_after_an_interrupted_sealing(store, day, event, log):
    lines = log.read_bytes()
    store.compact()
    log.write_bytes(lines)
    store.write_event(event(JAN_5))
    assert written(store) == [event(JAN_5), *day]


def test_an_interrupted_sealing_is_done_by_the_next(store, day, log):
    lines = log.read_bytes()
    store.compact()
    log.write_bytes(lines)
    store.compact()
    assert not log.exists()
    assert written(store) == day


def test_a_log_that_a_failed_write_left_empty_is_numbered_after_the_sealed_ones(
    store, day, event, log
):
    store.compact()
    log.touch()
    store.write_event(event(JAN_5))
    assert numbers(log) == [4]


def test_d2_a_sealing_that_fails_leaves_the_day_as_it_was(store, day, failing, log, monkeypatch):
    before = log.read_bytes()
    store._events._format.require(SEALED)
    failing("replace", errno.ENOSPC)
    with pytest.raises(StorageError, match=r"2026-01-05\.parquet"):
        store.compact()
    monkeypatch.undo()
    assert log.read_bytes() == before
    assert written(store) == day


def test_a_torn_line_is_set_aside_when_its_day_is_sealed(store, day, log, caplog):
    with log.open("ab") as file:
        file.write(b'{"type":"ne')
    store.compact()
    assert log.with_name("2026-01-05.jsonl.torn").read_bytes() == b'{"type":"ne\n'
    assert written(store) == day


# Damage and failure.


def test_d3_a_torn_line_is_never_seen_by_a_reader(store, day, log):
    with log.open("ab") as file:
        file.write(b'{"type":"ne')
    assert written(store) == day


def test_d3_a_torn_line_is_never_glued_to_the_next_event(store, day, event, log, caplog):
    with log.open("ab") as file:
        file.write(b'{"type":"ne')
    store.write_event(event(JAN_5))
    assert written(store) == [event(JAN_5), *day]


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_d2_an_event_that_cannot_be_written_leaves_its_day_as_it_was(
    store, day, event, log, failing, call, monkeypatch
):
    before = log.read_bytes()
    failing(call)
    with pytest.raises(StorageError, match=r"2026-01-05\.jsonl: cannot append to"):
        store.write_event(event(JAN_5))
    monkeypatch.undo()
    assert log.read_bytes() == before


@pytest.fixture(params=[0, 1, 2])
def damaged(request, day, log):
    """The log, a bit flipped in one of its lines."""
    lines = log.read_bytes().splitlines(keepends=True)
    line = bytearray(lines[request.param])
    line[len(line) // 2] ^= 1
    log.write_bytes(b"".join([*lines[: request.param], line, *lines[request.param + 1 :]]))
    return log


def test_d5_a_damaged_line_is_corrupt_its_file_named(store, damaged):
    with pytest.raises(CorruptData, match="not whole") as caught:
        written(store)
    assert caught.value.path == str(damaged)


def test_d5_a_day_with_a_damaged_line_is_not_sealed(store, damaged, sealed):
    before = damaged.read_bytes()
    with pytest.raises(CorruptData):
        store.compact()
    assert (damaged.read_bytes(), sealed.exists()) == (before, False)


def test_d5_an_event_is_not_numbered_after_a_damaged_line(base, day, event, log):
    content = bytearray(log.read_bytes())
    content[-30] ^= 1
    log.write_bytes(content)
    with FileDataStore(base) as another, pytest.raises(CorruptData) as caught:
        another.write_event(event(JAN_5))
    assert caught.value.path == str(log)
    assert log.read_bytes() == content


def test_d5_a_line_that_is_no_event_is_corrupt(store, base, log):
    store.save_strategy_state("value", {"n": 1})
    log.write_bytes((base / "state" / "value.json").read_bytes())
    with pytest.raises(CorruptData):
        written(store)


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_d5_a_damaged_sealed_day_is_corrupt_and_named(store, day, sealed, content):
    store.compact()
    sealed.write_bytes(content)
    with pytest.raises(CorruptData) as caught:
        written(store)
    assert caught.value.path == str(sealed)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_d5_a_day_copied_under_the_name_of_another_is_corrupt(store, base, event, kind):
    store.write_event(event(datetime(2026, 1, 5)))
    if kind == "parquet":
        store.compact()
    day = base / "events" / f"2026-01-05.{kind}"
    day.with_name(f"2026-01-06.{kind}").write_bytes(day.read_bytes())
    with pytest.raises(CorruptData, match=rf"2026-01-06\.{kind}: expected events of its day"):
        store.read_events(date.min, date.max)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_d5_a_file_that_is_named_after_no_date_is_corrupt(store, base, event, kind):
    store.write_event(event(datetime(2026, 1, 5)))
    if kind == "parquet":
        store.compact()
    day = base / "events" / f"2026-01-05.{kind}"
    day.rename(day.with_name(f"2026-02-30.{kind}"))
    with pytest.raises(CorruptData, match=rf"2026-02-30\.{kind}: expected events of its day"):
        store.read_events(date.min, date.max)
    assert {each.kind for each in store.verify().findings} == {"damaged", "truncated"}


def test_d5_a_late_event_to_a_damaged_sealed_day_is_refused(store, base, event):
    store.write_event(event(datetime(2026, 1, 5)))
    store.compact()
    (base / "events" / "2026-01-05.parquet").write_bytes(b"damaged")
    with pytest.raises(CorruptData, match=r"2026-01-05\.parquet"):
        store.write_event(event(datetime(2026, 1, 5)))


def test_d5_a_damaged_newline_at_the_end_is_noticed(store, day, log):
    log.write_bytes(log.read_bytes()[:-1] + b"\x0b")
    with pytest.raises(CorruptData):
        store.read_events(date.min, date.max)
    with pytest.raises(CorruptData):
        store.compact()
    assert log.read_bytes().endswith(b"\x0b")


def test_e1_a_day_that_is_sealed_while_the_folder_is_listed_is_not_missed(store, day, monkeypatch):
    real, listings = os.listdir, []

    def raced(folder):
        # What POSIX allows: the new file is not listed yet, the old one not any more.
        names = real(folder) if listings else []
        listings.append(folder)
        return names

    store.compact()
    monkeypatch.setattr(os, "listdir", raced)
    assert len(store.read_events(date.min, date.max)) == len(day)


@pytest.mark.parametrize("change", [lambda a, b, c: a + c, lambda a, b, c: a + c + b])
@pytest.mark.parametrize("asked", [{}, {"symbols": ["AAPL"]}])
def test_d5_a_line_that_is_missing_or_out_of_order_is_noticed(store, day, log, change, asked):
    log.write_bytes(change(*log.read_bytes().splitlines(keepends=True)))
    with pytest.raises(CorruptData, match="missing, doubled or out of order"):
        store.read_events(date.min, date.max, **asked)


def test_d5_a_sealed_day_that_is_gone_beside_its_late_events_is_noticed(store, day, event, sealed):
    store.compact()
    store.write_event(event(JAN_5))
    sealed.unlink()
    with pytest.raises(CorruptData, match="events 1 to 3 are missing"):
        store.read_events(date.min, date.max)


def test_a_batch_is_one_write_and_one_sync_a_day(store, base, event, syscalls):
    store.write_event(event(JAN_5))
    store.write_event(event(JAN_5 - timedelta(1)))
    syscalls.clear()
    store.write_events(event(JAN_5 - timedelta(number % 2)) for number in range(10))
    days = ("2026-01-05.jsonl", "2026-01-04.jsonl")
    logged = [(call, day) for day in days for call in ("write", "fdatasync")]
    assert syscalls == [*logged, ("pwrite", ".ends"), ("pwrite", ".ends")]


@pytest.mark.parametrize("old", [0, 1])
def test_d2_a_batch_that_cannot_be_written_to_its_last_day_is_in_none(
    store, event, old, failing, monkeypatch
):
    for _ in range(old):
        store.write_event(event(JAN_5))
    failing("write", errno.ENOSPC, after=1)
    with pytest.raises(StorageError, match=r"2026-01-06\.jsonl: cannot append to: No space left"):
        store.write_events([event(JAN_5), event(JAN_5), event(JAN_5 + timedelta(1))])
    monkeypatch.undo()
    assert store.read_events(JAN_5, JAN_5 + timedelta(9)) == [event(JAN_5)] * old
    store.write_events([event(JAN_5), event(JAN_5 + timedelta(1))])
    assert len(store.read_events(JAN_5, JAN_5 + timedelta(9))) == old + 2
