"""The index of a day that is written: it saves reading, and never changes an answer."""

from __future__ import annotations

import json
import logging
import shutil
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from storecore import Event
from storecore.errors import CorruptData, StorageError
from storecore_file import FileDataStore
from storecore_file.events import index as module
from storecore_file.events import open_day
from storecore_file.events.open_day import OpenDay
from storecore_file.fs.disk import Disk
from storecore_file.fs.seal import sealed

DAY = datetime(2026, 1, 5, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)
BLOCK = 2_000  # of some ten events


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    for each in (module, open_day):
        monkeypatch.setattr(each, "BLOCK", BLOCK)
    monkeypatch.setattr(module, "_PROBE", 300)
    monkeypatch.setattr(open_day, "_HELD", 5_000)
    monkeypatch.setattr(open_day, "_GAP", 500)


@pytest.fixture
def store(base):
    with FileDataStore(base, durability="os") as opened:
        yield opened


@pytest.fixture
def log(base):
    return base / "events" / "2026-01-05.jsonl"


@pytest.fixture
def path(base):
    return base / "events" / ".2026-01-05.index"


def happened(n, **fields):
    at = DAY + timedelta(minutes=n)
    named = {"type": f"t{n % 3}", "symbol": [None, "A", "B"][n // 40 % 3], **fields}
    return Event(**named, timestamp=at, ingested_at=at, source="test", payload={"n": n})


def write(store, *numbers):
    for n in numbers:
        store.write_event(happened(n))


def numbers(store, first=0, last=1439, **asked):
    bounds = DAY + timedelta(minutes=first), DAY + timedelta(minutes=last)
    return [each.payload["n"] for each in store.read_events(*bounds, **asked)]


def blocks(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def filled(store):
    """A store with 100 events, a minute apart, each written alone."""
    write(store, *range(100))
    return store


@pytest.fixture
def parts(monkeypatch):
    """The offsets of the parts of the log that are read."""
    real, found = OpenDay._parts, []

    def read(self, *given):
        for part in real(self, *given):
            found.append(part[0])
            yield part

    monkeypatch.setattr(OpenDay, "_parts", read)
    return found


# What it says.


def test_a_short_log_has_none(store, path):
    write(store, *range(5))
    assert not path.exists()


def test_its_blocks_follow_each_other_and_say_what_they_have(filled, log, path):
    found = blocks(path)
    lines = log.read_bytes().splitlines(keepends=True)
    ends = [0, *(each["end"] for each in found)]
    assert [each["start"] for each in found] == ends[:-1]
    assert log.stat().st_size - ends[-1] < BLOCK
    for each in found:
        own = [json.loads(line) for line in lines[each["first"] - 1 : each["last"]]]
        assert sum(map(len, lines[: each["last"]])) == each["end"]
        assert each["types"] == sorted({line["type"] for line in own})
        assert each["symbols"] == sorted({line["symbol"] for line in own}, key=str)
        stamps = [datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00")) for line in own]
        for name, expected in (("since", min(stamps)), ("until", max(stamps))):
            assert each[name] == expected.timestamp() * 1_000_000


def test_a_batch_is_described_in_blocks_too(store, path):
    store.write_events([happened(n) for n in range(200)])
    sizes = [each["end"] - each["start"] for each in blocks(path)]
    assert len(sizes) > 10
    assert max(sizes) < 2 * BLOCK
    assert numbers(store, 50, 60) == list(range(50, 61))


def test_a_writer_that_just_began_describes_what_another_has_left(base, log, path):
    for n in range(60):
        with FileDataStore(base, durability="os") as store:
            write(store, n)
    assert log.stat().st_size - blocks(path)[-1]["end"] < BLOCK
    assert numbers(store_of(base), 20, 30) == list(range(20, 31))


def store_of(base):
    return FileDataStore(base, durability="os")


def test_two_writers_in_turn_describe_all(base, path, log):
    one, other = store_of(base), store_of(base)
    for n in range(0, 100, 2):
        write(one, n)
        write(other, n + 1)
    assert log.stat().st_size - blocks(path)[-1]["end"] < BLOCK
    assert numbers(one, 33, 70) == list(range(33, 71))


def test_a_long_log_without_an_index_is_described_a_few_blocks_at_a_time(
    filled, path, monkeypatch, base
):
    path.unlink()
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    with store_of(base) as store:
        write(store, *range(100, 111))
        assert len(blocks(path)) == 2
        write(store, *range(111, 220))
    assert blocks(path)[-1]["last"] > 200
    assert numbers(filled, 90, 120) == list(range(90, 121))


def test_no_sync_is_added(syscalls, base, path):
    store = FileDataStore(base)
    write(store, 0)
    syscalls.clear()
    write(store, *range(1, 41))
    assert path.exists()
    synced = [name for call, name in syscalls if call in ("fsync", "fdatasync")]
    assert synced == ["2026-01-05.jsonl"] * 40


# What it saves.


def test_a_question_reads_the_blocks_of_its_time_and_what_is_behind_the_last(filled, path, parts):
    assert numbers(filled, 50, 52) == [50, 51, 52]
    (wanted, *_) = (each for each in blocks(path) if each["first"] <= 51 <= each["last"])
    assert wanted["start"] in parts
    assert len(parts) <= 3


def test_a_question_for_symbols_or_types_skips_blocks_without_them(filled, path, parts):
    assert numbers(filled, symbols=["B"]) == list(range(80, 100))
    skipped = [each for each in blocks(path) if "B" not in each["symbols"]]
    assert skipped
    assert not {each["start"] for each in skipped} & set(parts)
    parts.clear()
    assert numbers(filled, types=["none"]) == []
    assert parts == [blocks(path)[-1]["end"]]


def test_late_events_are_found(filled):
    write(filled, 3, 3)
    write(filled, *range(100, 130))
    assert numbers(filled, 3, 4) == [3, 3, 3, 4]


def test_the_symbols_of_a_day_are_taken_from_it(filled, parts, path):
    assert filled.event_symbols() == ["A", "B"]
    assert parts == [blocks(path)[-1]["end"]]


def test_events_stream_by_time_though_they_were_written_in_another_order(store):
    order = [n * 37 % 100 for n in range(100)]
    write(store, *order)
    assert [each.payload["n"] for each in store.iter_events()] == sorted(order)


def test_a_range_streams_from_lines_that_lie_apart(store):
    write(store, *(n * 37 % 100 for n in range(100)))
    bounds = DAY + timedelta(minutes=10), DAY + timedelta(minutes=14)
    found = [each.payload["n"] for each in store.iter_events(*bounds)]
    assert found == [10, 11, 12, 13, 14]


def test_events_of_one_instant_stream_in_the_order_of_writing(store, event):
    for n in [*range(30), *range(50, 20, -1)]:
        store.write_event(event(DAY, payload={"n": n}))
    expected = [*range(30), *range(50, 20, -1)]
    assert [each.payload["n"] for each in store.iter_events()] == expected


def a_little_late(count, most=15):
    """Return numbers in an order in which some come up to `most` places late."""
    return sorted(range(count), key=lambda n: n + n * 7919 % most)


@pytest.mark.parametrize("is_indexed", [True, False])
def test_events_that_come_a_little_late_stream_by_time(store, path, is_indexed):
    write(store, *a_little_late(200))
    if not is_indexed:
        path.unlink()
    assert [each.payload["n"] for each in store.iter_events()] == list(range(200))
    bounds = DAY + timedelta(minutes=30), DAY + timedelta(minutes=170)
    found = [each.payload["n"] for each in store.iter_events(*bounds)]
    assert found == list(range(30, 171))


def test_a_log_that_is_almost_in_order_is_read_once(store, parts, monkeypatch):
    monkeypatch.delattr(OpenDay, "_lines")  # which reads lines again
    write(store, *a_little_late(200))
    assert [each.payload["n"] for each in store.iter_events()] == list(range(200))
    assert parts == sorted(set(parts))


def test_few_events_are_held_while_such_a_log_streams(store, monkeypatch):
    write(store, *a_little_late(400))
    real, decoded = open_day.decode_lines, []

    def decode(lines, path):
        decoded.append(len(lines))
        return real(lines, path)

    monkeypatch.setattr(open_day, "decode_lines", decode)
    ahead = [sum(decoded) - n for n, _ in enumerate(store.iter_events())]
    assert max(ahead) <= 60


def test_events_of_one_instant_in_several_blocks_stream_in_the_order_of_writing(store, event):
    for n in range(100):
        store.write_event(event(DAY + timedelta(seconds=n // 40), payload={"n": n}))
    assert [each.payload["n"] for each in store.iter_events()] == list(range(100))


@settings(max_examples=15, deadline=None, phases=[Phase.generate])
@given(st.lists(st.integers(0, 40), min_size=30, max_size=120), st.booleans())
def test_any_log_streams_by_time_then_by_order_of_writing(tmp_path_factory, late, is_sealed_too):
    with store_of(tmp_path_factory.mktemp("any") / "data") as store:
        for place, each in enumerate(late):
            store.write_event(happened(place // 2 + each, type=f"p{place}"))
            if is_sealed_too and place == 20:
                store.compact()
        assert list(store.iter_events()) == store.read_events(DAY, NEXT)


# Whatever happened to it, or to the log.


def test_without_it_the_answer_is_the_same(filled, path):
    path.unlink()
    assert numbers(filled, 20, 22) == [20, 21, 22]


@pytest.mark.parametrize("cut", [1, 20, 500])
def test_a_torn_index_counts_up_to_its_last_whole_line(filled, base, path, cut):
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    assert numbers(filled, 20, 90) == list(range(20, 91))
    write(filled, *range(100, 130))
    assert blocks(path)[-1]["last"] > 110
    assert blocks(path)[0]["start"] == 0
    assert numbers(filled, 85, 125) == list(range(85, 126))
    assert filled.verify().ok


def test_no_flipped_bit_of_it_changes_an_answer(filled, path):
    content = path.read_bytes()
    for position in range(0, len(content), 23):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        assert numbers(filled, 44, 46) == [44, 45, 46]


def test_an_index_of_a_longer_log_counts_as_far_as_the_log_goes(filled, base, log, path):
    kept = path.read_bytes()
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:55]))
    assert numbers(store_of(base), 40, 70) == list(range(40, 55))
    with store_of(base) as store:
        write(store, *range(200, 260))  # others than before, at the same places
        path.write_bytes(kept)
        assert numbers(store, 40, 70) == list(range(40, 55))
        assert numbers(store, 210, 215) == list(range(210, 216))
        write(store, *range(300, 330))
        assert numbers(store, 250, 310) == [*range(250, 260), *range(300, 311)]
    assert blocks(path)[-1]["last"] > 130


def test_the_log_of_a_copy_that_was_written_to_apart_is_read_as_it_is(filled, base, tmp_path):
    shutil.copytree(base, tmp_path / "other")
    write(filled, *range(100, 160))
    with store_of(tmp_path / "other") as other:
        write(other, *range(200, 260))
    copied = tmp_path / "other" / "events" / "2026-01-05.jsonl"
    shutil.copy2(copied, base / "events" / copied.name)
    assert numbers(store_of(base), 90, 300) == [*range(90, 100), *range(200, 260)]


def test_an_index_that_outlived_its_day_counts_for_nothing(filled, path, base):
    kept = path.read_bytes()
    filled.compact()
    assert not path.exists()
    write(filled, *range(500, 600))
    path.write_bytes(kept)
    assert numbers(filled, 30, 32) == [30, 31, 32]
    assert numbers(filled, 520, 525) == list(range(520, 526))
    assert numbers(filled) == [*range(100), *range(500, 600)]


def test_a_sealed_day_with_lines_that_a_crash_left_counts_them_once(filled, base, log, path):
    kept = log.read_bytes(), path.read_bytes()
    filled.compact()
    log.write_bytes(kept[0])
    path.write_bytes(kept[1])
    assert numbers(store_of(base), 30, 60) == list(range(30, 61))
    with store_of(base) as store:
        assert store.event_symbols() == ["A", "B"]
        write(store, *range(200, 230))
        assert numbers(store) == [*range(100), *range(200, 230)]
        assert store.verify().ok


def test_a_batch_that_fails_leaves_an_index_that_is_corrected(store, path, monkeypatch):
    write(store, *range(30))
    real = Disk.named

    def named(self, path, *given, **named):
        if path.name == "2026-01-06.jsonl":
            raise StorageError("no room", path)
        return real(self, path, *given, **named)

    monkeypatch.setattr(Disk, "named", named)
    after = Event("t", None, NEXT, NEXT, "test", {})
    with pytest.raises(StorageError, match="no room"):
        store.write_events([*(happened(n, symbol="Z") for n in range(30, 90)), after])
    assert numbers(store) == list(range(30))
    write(store, *range(300, 390))
    assert numbers(store, 300, 350) == list(range(300, 351))
    assert store.event_symbols() == ["A", "B"]


def test_an_index_that_cannot_be_read_is_not_needed(filled, path):
    path.unlink()
    path.mkdir()
    assert numbers(filled, 20, 22) == [20, 21, 22]


def test_an_index_that_cannot_be_written_loses_nothing(filled, path, caplog):
    path.unlink()
    path.mkdir()
    with caplog.at_level(logging.WARNING):
        write(filled, *range(100, 130))
    assert "its index stays behind" in caplog.text
    assert numbers(filled, 98, 129) == list(range(98, 130))


def test_an_index_that_cannot_be_removed_does_not_fail_the_sealing(
    filled, path, monkeypatch, caplog
):
    def drop(self, path):
        raise StorageError("no", path)

    monkeypatch.setattr(Disk, "drop", drop)
    filled.compact()
    assert "its index stays, and counts for nothing" in caplog.text
    assert numbers(filled) == list(range(100))


def test_a_deletion_removes_it(filled, path):
    filled.delete_events(DAY, DAY + timedelta(minutes=49))
    assert not path.exists()
    assert numbers(filled) == list(range(50, 100))


@pytest.mark.parametrize("name", ["2026-01-05.jsonl", "2026-01-05.parquet"])
def test_a_file_that_is_gone_by_the_time_it_is_checked_is_no_damage(
    filled, base, monkeypatch, name
):
    if name.endswith("parquet"):
        filled.compact()
    real = Disk.opened

    def opened(self, path):
        if path.name == name:
            monkeypatch.setattr(Disk, "opened", real)
            with store_of(base) as other:
                other.delete_events(date.min, date.max)
        return real(self, path)

    monkeypatch.setattr(Disk, "opened", opened)
    assert filled.verify().findings == ()
    assert numbers(filled) == []


def changed_in_place(log, number):
    """Give an event another type, of the same length, in a line that proves itself whole."""
    lines = log.read_bytes().splitlines(keepends=True)
    at = number - 1
    line = json.loads(lines[at])
    del line["crc32"]
    line["type"] = "xx"
    other = sealed(json.dumps(line, separators=(",", ":")).encode())
    assert len(other) == len(lines[at])
    lines[at] = other
    log.write_bytes(b"".join(lines))


def test_verify_finds_an_index_of_lines_that_were_changed_in_place(filled, log, path):
    changed_in_place(log, blocks(path)[2]["first"])
    (found,) = filled.verify().findings
    assert (found.kind, found.place) == ("damaged", str(path))
    filled.repair()
    assert filled.verify().ok
    assert len(filled.read_events(types=["xx"])) == 1


def test_an_index_without_a_log_is_no_damage(filled, log, path):
    kept = path.read_bytes()
    filled.compact()
    path.write_bytes(kept)
    assert filled.verify().ok


# Damage of the log.


def test_d5_a_damaged_block_is_refused_by_who_reads_it(filled, log, path):
    content = bytearray(log.read_bytes())
    at = content.find(b'"n":50}')
    content[at - 20] ^= 1
    log.write_bytes(content)
    assert numbers(filled, 80, 82) == [80, 81, 82]
    for read in (
        lambda: numbers(filled, 50, 50),
        lambda: numbers(filled),
        lambda: list(filled.iter_events()),
    ):
        with pytest.raises(CorruptData, match="a line is not whole"):
            read()
    assert [each.kind for each in filled.verify().findings] == ["damaged"]


def test_d5_a_block_with_fewer_lines_than_it_says_is_refused(filled, log, path):
    wanted = blocks(path)[2]
    content = log.read_bytes()
    own = content[wanted["start"] : wanted["end"]].splitlines(keepends=True)
    joined = own[0][:-1].ljust(len(own[0]) + len(own[1]) - 1) + b"\n"
    log.write_bytes(
        content[: wanted["start"]] + joined + b"".join(own[2:]) + content[wanted["end"] :]
    )
    with pytest.raises(CorruptData, match="lines are missing, doubled or out of order"):
        numbers(filled, wanted["first"], wanted["last"])


def test_a_damaged_line_is_never_described(filled, log, path, base):
    path.unlink()
    content = bytearray(log.read_bytes())
    content[content.find(b'"n":35}') - 20] ^= 1
    log.write_bytes(content)
    with store_of(base) as store:
        write(store, *range(100, 150))
    assert blocks(path)[-1]["last"] < 36
    with pytest.raises(CorruptData):
        numbers(filled, 35, 35)


@pytest.mark.parametrize("number", [7, 900])
def test_a_line_with_another_number_is_never_described(filled, log, path, base, number):
    path.unlink()
    lines = log.read_bytes().splitlines(keepends=True)
    line = json.loads(lines[40])
    del line["crc32"]
    line["n"] = number
    lines[40] = sealed(json.dumps(line, separators=(",", ":")).encode())
    log.write_bytes(b"".join(lines))
    with store_of(base) as store:
        write(store, *range(100, 150))
    assert all(each["last"] <= 40 for each in blocks(path))


def test_d3_a_torn_line_behind_the_blocks_is_not_seen(filled, log):
    with log.open("ab") as file:
        file.write(b'{"type":"t')
    assert numbers(filled, 90, 99) == list(range(90, 100))
    assert [each.payload["n"] for each in filled.iter_events(date(2026, 1, 5))] == list(range(100))


@settings(max_examples=20, deadline=None, phases=[Phase.generate])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "batch", "cut", "drop", "tear", "seal"]), st.integers(1, 60)
        ),
        max_size=12,
    )
)
def test_whatever_happens_an_answer_is_that_of_a_store_without_an_index(tmp_path_factory, steps):
    base = tmp_path_factory.mktemp("any") / "data"
    log, path = (base / "events" / name for name in ("2026-01-05.jsonl", ".2026-01-05.index"))
    store, n = store_of(base), 0
    for step, size in steps:
        if step in ("write", "batch"):
            some = [happened((n + k) * 7 % 1440) for k in range(size)]
            n += size
            if step == "batch":
                store.write_events(some)
            else:
                for each in some:
                    store.write_event(each)
        elif step == "seal":
            store.compact()
        elif step == "cut" and log.exists():
            lines = log.read_bytes().splitlines(keepends=True)
            log.write_bytes(b"".join(lines[: max(len(lines) - size, 1)]))
        elif path.exists():
            content = path.read_bytes()
            path.write_bytes(content[: -size * 9] if step == "tear" else b"")
        found = numbers(store, 100, 700, symbols=["A", None])
        streamed = [each.payload["n"] for each in store.iter_events()]
        kept = path.read_bytes() if path.exists() else None
        if kept is not None:
            path.unlink()
        assert numbers(store, 100, 700, symbols=["A", None]) == found
        assert [each.payload["n"] for each in store.read_events()] == streamed
        if kept is not None:
            path.write_bytes(kept)
    store.close()
