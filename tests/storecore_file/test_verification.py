"""`verify()` looks at every file of a store: what is wrong is found, all else is told or fine."""

from __future__ import annotations

import os
import shutil
import time
from datetime import datetime, timedelta
from threading import Thread

import pyarrow as pa
import pytest

from storecore import Report, StoreClosed
from storecore_file.bars import integrity

JAN_5 = datetime(2026, 1, 5)
HOURS_AGO = time.time() - 3 * 3_600
TEMPORARY = ".2026-01.parquet.0123456789abcdef.tmp"


@pytest.fixture
def filled(store, bar, event, decision, fundamental, sent):
    """A store with all kinds of files."""
    for days in (0, 40):
        store.write_bars("AAPL", [bar(JAN_5 + timedelta(days))])
    store.write_bars("aapl/x", [bar(symbol="aapl/x")], timeframe="1M")
    store.write_bars("x" * 300, [bar(symbol="x" * 300)])
    store.write_fundamental("AAPL", fundamental())
    store.write_fundamental("y" * 300, fundamental(symbol="y" * 300))
    store.write_event(event())
    store.compact()
    store.write_event(event())
    store.write_event(event(JAN_5 + timedelta(1)))
    for number in range(3):
        store.save_strategy_state("Value", {"n": number})
    store.log_decision("value", decision())
    store.log_order("value", *sent())
    return store


@pytest.fixture
def journaled(filled, bar, monkeypatch):
    """The same, with a journal that is not folded."""
    monkeypatch.setattr("storecore_file.bars.collection.MANY_SERIES", 1)
    names = bar().__struct_fields__
    bars = [bar(symbol=symbol) for symbol in ("AAPL", "MSFT")]
    filled.write_bar_table(pa.table({n: [getattr(each, n) for each in bars] for n in names}))
    return filled


def kinds(found):
    return [each.kind for each in found]


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def aged(path, content=b""):
    path.write_bytes(content)
    os.utime(path, (HOURS_AGO, HOURS_AGO))
    return path


def test_a_store_with_all_kinds_of_files_is_whole(journaled):
    report = journaled.verify()
    assert (report.ok, report.notes, report.actions) == (True, (), ())
    assert report.checked > 20


def test_an_empty_store_is_whole(store):
    assert store.verify() == Report(1)  # its format number


def test_verify_changes_nothing(journaled, base):
    def files():
        return {path: path.read_bytes() for path in base.rglob("*") if path.is_file()}

    before = files()
    journaled.verify()
    assert files() == before


def test_l1_a_closed_store_is_not_looked_at(store):
    store.close()
    for use in (store.verify, store.repair):
        with pytest.raises(StoreClosed):
            use()


FILES = [
    "prices/AAPL/2026-01*.parquet",
    "prices/*/*/*.parquet",
    "prices/+x*/*.parquet",
    "prices/.journal/*.jsonl",
    "fundamentals/AAPL/*.json",
    "fundamentals/+y*/*.json",
    "events/2026-01-05.jsonl",
    "events/2026-01-05.parquet",
    "state/+V+alue.json",
    "state/.+V+alue.json.1",
]


@pytest.mark.parametrize("pattern", FILES)
def test_d5_a_damaged_file_is_found_by_its_name(journaled, base, pattern):
    path = next(iter(base.glob(pattern)))
    damage(path)
    (finding,) = journaled.verify().findings
    assert (finding.kind, finding.place, finding.file) == ("damaged", str(path), str(path))
    assert str(path) not in finding.detail


def test_a_break_of_the_audit_log_is_found_with_its_line(filled, base):
    (log,) = (base / "audit" / "orders").glob("*.jsonl")
    damage(log)
    (finding,) = filled.verify().findings
    assert (finding.kind, finding.file, finding.line) == ("edited", str(log), 1)


@pytest.mark.parametrize(
    "pattern",
    [
        "prices/AAPL/2026-01*.parquet",
        "prices/AAPL/.lock",
        "prices/.journal/.lock",
        "fundamentals/AAPL/*.json",
        "events/2026-01-05.jsonl",
        "events/2026-01-05.parquet",
        "state/*.json",
        "audit/orders/*.jsonl",
    ],
)
def test_a_folder_in_the_place_of_a_file_is_found(journaled, base, pattern):
    path = next(iter(base.glob(pattern)))
    path.unlink()
    path.mkdir()
    found = journaled.verify().findings
    assert str(path) in [each.place for each in found]
    assert set(kinds(found)) == {"damaged"}


def test_a_partition_in_the_folder_of_another_series_is_found(filled, base):
    (part,) = (base / "prices" / "AAPL").glob("2026-01*.parquet")
    for folder in ("prices/+a+b", "prices/AAPL/1m"):
        (base / folder).mkdir()
        shutil.copy(part, base / folder)
        (finding,) = filled.verify().findings
        assert "it holds bars of the series AAPL/1d" in finding.detail
        shutil.rmtree(base / folder)


def test_a_document_or_state_under_another_name_is_found(filled, base):
    (document,) = (base / "fundamentals" / "AAPL").glob("*.json")
    document.rename(document.with_name("2027-01-05T00-00-00.000000Z.json"))
    (base / "state" / "+V+alue.json").rename(base / "state" / "other.json")
    details = [each.detail for each in filled.verify().findings]
    assert len(details) == 2
    assert "found the document 2026-01-05T00-00-00.000000Z.json of 'AAPL'" in details[0]
    assert "found version 3 of the state of 'Value'" in details[1]


def test_d6_an_older_partition_with_other_bars_is_found(filled, base, bar):
    folder = base / "prices" / "AAPL"
    part = folder / "2026-01.parquet"
    content = part.read_bytes()
    filled.write_bars("AAPL", [bar(close=99.5)])
    part.rename(folder / "2026-01-01--2026-01-09.parquet")
    part.write_bytes(content)
    (finding,) = filled.verify().findings
    assert (finding.kind, finding.place) == ("older", str(part))
    assert "1 of its bars are not in the newer ones, or differ there" in finding.detail


def test_partitions_one_of_which_is_damaged_cannot_be_distinguished(filled, base):
    folder = base / "prices" / "AAPL"
    part, wide = folder / "2026-01.parquet", folder / "2025-12--2026-01.parquet"
    shutil.copy(part, wide)
    damage(wide)
    found = {(each.kind, each.place) for each in filled.verify().findings}
    assert found == {("damaged", str(wide)), ("overlapping", str(part))}


def test_a_series_whose_partitions_change_meanwhile_is_looked_at_again(
    filled, base, bar, monkeypatch
):
    listings, real = [], integrity._names

    def then_another(folder):
        names = real(folder)
        if folder.name == "AAPL":
            listings.append(names)
            return names if len(listings) % 2 else [*names, f"2030-{len(listings):02}.parquet"]
        return names

    monkeypatch.setattr(integrity, "_names", then_another)
    assert filled.verify().findings == ()
    assert len(listings) == 11


def test_a_partition_that_is_merged_away_meanwhile_is_no_damage(filled, monkeypatch):
    monkeypatch.setattr("storecore_file.fs.disk.Disk.read", lambda *_: None)
    assert not [each for each in filled.verify().findings if "prices" in each.place]


def test_events_that_were_sealed_and_are_missing_are_found(filled, base):
    (base / "events" / "2026-01-05.parquet").unlink()
    (finding,) = filled.verify().findings
    assert finding.detail == "events 1 to 1 are missing"


def test_the_torn_end_of_a_log_is_a_note(journaled, base):
    logs = [*base.glob("events/*.jsonl"), *base.glob("audit/*/*.jsonl"), *base.rglob(".journal/*l")]
    for log in logs:
        with log.open("ab") as file:
            file.write(b'{"half')
    report = journaled.verify()
    assert report.ok
    assert kinds(report.notes) == ["torn"] * len(logs) == ["torn"] * 5
    assert report.notes[0].detail.startswith("its last 6 bytes")


def test_a_temporary_file_is_a_note_once_nobody_can_be_writing_it(filled, base):
    folders = ["prices", "prices/AAPL", "fundamentals", "fundamentals/AAPL", "events", "state"]
    for folder in folders:
        (base / folder / TEMPORARY).write_bytes(b"x")
    assert filled.verify().notes == ()
    for folder in folders:
        aged(base / folder / TEMPORARY)
    report = filled.verify()
    assert report.ok
    assert kinds(report.notes) == ["temporary"] * 6


def test_a_partition_all_whose_bars_a_newer_one_has_is_a_note(filled, base):
    (part,) = (base / "prices" / "AAPL").glob("2026-01*.parquet")
    shutil.copy(part, part.with_name("2026-01-05.parquet"))
    report = filled.verify()
    assert (report.ok, kinds(report.notes)) == (True, ["leftover"])


@pytest.mark.parametrize(
    "folder", ["", "prices", "prices/AAPL", "prices/AAPL/1h", "audit", "state"]
)
def test_a_file_of_no_known_name_is_a_note(filled, base, folder):
    (base / folder).mkdir(exist_ok=True)
    (base / folder / "notes.txt").write_text("buy")
    report = filled.verify()
    assert (report.ok, kinds(report.notes)) == (True, ["unknown"])
    assert report.notes[0].place == str(base / folder / "notes.txt")


def test_a_folder_of_no_known_name_is_a_note(filled, base):
    (base / "backup").mkdir()
    assert filled.verify().notes[0].detail == "no folder of this store: it is left alone"


def test_lines_that_were_set_aside_are_no_trouble(filled, base):
    (base / "events" / "2026-01-05.jsonl.torn").write_bytes(b"half\n")
    assert filled.verify().notes == ()


def test_odd_bars_are_notes_with_their_series(filled, bar):
    filled.write_bars("MSFT", [bar(symbol="MSFT", high=1.0)], timeframe="1m")
    report = filled.verify()
    assert report.ok
    detail = f"MSFT (1m): 1 bar, the first of {JAN_5}"
    assert [(each.kind, each.detail) for each in report.notes] == [("high below low", detail)]


def test_a_log_that_cannot_be_read_is_a_finding(filled, base):
    head = base / "audit" / "orders" / ".head"
    head.unlink()
    head.mkdir()
    found = filled.verify().findings
    assert {(each.kind, each.place) for each in found} == {("damaged", str(head))}


def test_verify_beside_a_writer_finds_nothing(store, bar, small):
    def write():
        for number in range(60):
            store.write_bars("AAPL", [bar(JAN_5 + timedelta(days=number * 3))])

    writer = Thread(target=write)
    writer.start()
    while writer.is_alive():
        assert store.verify().findings == ()
    writer.join()
    assert store.bar_coverage("AAPL").count == 60
