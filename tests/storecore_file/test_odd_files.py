"""An odd thing in a store is one finding: nothing waits for it, and all else goes on."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from datetime import date, datetime
from hashlib import sha256

import pytest

from storecore import StorageError
from storecore_file import FileDataStore, integrity
from storecore_file.fs.disk import _may_be_folder
from storecore_file.fs.handles import READ, WRITE, open_regular
from storecore_file.fs.seal import sealed

ALL = date.min, date.max
JAN_5 = datetime(2026, 1, 5)
FILES = [
    "prices/AAPL/2026-0*.parquet",
    "prices/.journal/*.jsonl",
    "prices/.journal/.ends",
    "fundamentals/AAPL/2026-01-06*.json",
    "events/2026-01-07.jsonl",
    "events/2026-01-06.parquet",
    "events/.ends",
    "state/+V+alue.json",
    "state/.+V+alue.json.1",
    "audit/orders/*.jsonl",
    "audit/orders/.head",
    "state/.+V+alue.json.lock",
]


@pytest.fixture
def full(base, all_kinds, monkeypatch):
    """A folder with all kinds of files, and a store that has them closed."""
    monkeypatch.setattr(integrity, "_PAUSE", 0)
    with FileDataStore(base, durability="os") as store:
        all_kinds(store)
    return base


@pytest.fixture
def reader(full):
    """A store whose every kind of data has files."""
    with FileDataStore(full) as store:
        yield store


def fifo(path):
    os.mkfifo(path)


def zeros(path):
    path.symlink_to("/dev/zero")


def nothing(path):
    path.symlink_to("/dev/null")


def looped(path):
    path.symlink_to(path.name)


def folder(path):
    path.mkdir()


def hole(path):
    with path.open("wb") as file:
        file.truncate(2**43)


SYMBOLS = ["AAPL", "MSFT", "S1", "S2", "aapl/x", "x" * 300]
ODD = [fifo, zeros, nothing, looped, folder, hole]


def replaced(odd, full):
    """Yield once for each kind of file, an odd thing in the place of one of them meanwhile."""
    for pattern in FILES:
        path = min(full.glob(pattern))
        content = path.read_bytes()
        path.unlink()
        try:
            odd(path)
        except OSError:
            pytest.skip("this file system has no files of 8 TB")
        yield path
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        path.write_bytes(content)


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_thing_in_the_place_of_a_file_is_a_finding_and_all_else_is_checked(
    reader, full, odd
):
    damaged = next(full.glob("fundamentals/+y*/*.json"))
    damaged.write_bytes(b"{}")
    for path in replaced(odd, full):
        report = reader.verify()
        places = {each.place for each in report.findings}
        assert str(damaged) in places
        if odd is not hole or not path.name.endswith("lock"):  # which may be of any length
            assert any(str(path).startswith(place) for place in places - {str(damaged)}), path
        assert {each.kind for each in report.findings} <= {"damaged", "unchecked", "linked"}


@pytest.mark.parametrize("odd", ODD)
def test_repair_and_reads_of_the_rest_go_on_beside_it(full, tmp_path, odd):
    next(full.glob("fundamentals/+y*/*.json")).write_bytes(b"{}")
    for path in replaced(odd, full):
        copy = tmp_path / "copy"
        subprocess.run(["cp", "-a", full, copy], check=True)
        with FileDataStore(copy, lock_timeout=0.1, durability="os") as store:
            report = store.repair()
            assert any("fundamentals/+y" in action for action in report.actions), path
            assert store.read_fundamental("AAPL", JAN_5) is not None
            if "events" not in path.parts:
                assert store.read_events(JAN_5, JAN_5)
            if ".journal" not in path.parts:
                assert len(store.read_bars("MSFT", *ALL)) == 1
        shutil.rmtree(copy)


def test_a_socket_is_a_finding_too(reader, full, monkeypatch):
    monkeypatch.chdir(full / "state")  # a socket's path may be short only
    with socket.socket(socket.AF_UNIX) as open_socket:
        open_socket.bind("other.json")
        (finding,) = reader.verify().findings
    assert finding.detail == "expected a file, found a socket"
    assert finding.place == str(full / "state" / "other.json")


WRITES = {
    "events/2026-01-05.jsonl": lambda store, given: store.write_event(given["event"]()),
    "events/.ends": lambda store, given: store.write_event(given["event"]()),
    "events/.lock": lambda store, given: store.write_event(given["event"]()),
    "state/.+V+alue.json.lock": lambda store, given: store.save_strategy_state("Value", {}),
    "audit/decisions/.head": lambda store, given: store.log_decision("a", given["decision"]()),
    "audit/decisions/{today}.jsonl": lambda store, given: store.log_decision(
        "a", given["decision"]()
    ),
    "prices/AAPL/.lock": lambda store, given: store.write_bars("AAPL", [given["bar"]()]),
    "prices/AAPL/2026-01--2026-02.parquet": lambda store, given: store.write_bars(
        "AAPL", [given["bar"]()]
    ),
    "fundamentals/AAPL/2026-01-05T00-00-00.000000Z.json": lambda store, given: (
        store.write_fundamental("AAPL", given["fundamental"]())
    ),
}


@pytest.mark.parametrize("place", WRITES)
@pytest.mark.parametrize("odd", [fifo, nothing, looped])
def test_d2_a_write_neither_waits_for_an_odd_thing_nor_vanishes_in_it(
    full, place, odd, bar, event, decision, fundamental
):
    path = full / place.format(today=date.today())
    path.unlink(missing_ok=True)
    odd(path)
    given = {"bar": bar, "event": event, "decision": decision, "fundamental": fundamental}
    with FileDataStore(full, lock_timeout=0.1) as store:
        problem = None
        try:
            WRITES[place](store, given)
        except StorageError as error:
            problem = str(error)
        if problem is None:  # it was replaced by a file, or is of no use to the write
            assert path.is_file() or path.name.startswith(".")
        else:
            assert str(path) in problem


def test_only_regular_files_are_opened(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x")
    for flags in (READ, WRITE):
        number, found = open_regular(path, flags)
        os.close(number)
        assert found.st_size == 1
    os.symlink(path, tmp_path / "link")
    os.close(open_regular(tmp_path / "link", READ)[0])
    with pytest.raises(StorageError, match="expected a file, found a symbolic link"):
        open_regular(tmp_path / "link", WRITE)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none", READ)


@pytest.mark.parametrize("kind", ["prices", "fundamentals", "events", "state", "audit"])
def test_a_kind_of_data_may_lie_on_another_disk_by_a_link(full, tmp_path, kind, event, bar):
    shutil.move(full / kind, tmp_path / "disk")
    (full / kind).symlink_to(tmp_path / "disk")
    with FileDataStore(full) as store:
        assert store.verify().ok
        store.write_event(event())
        store.write_bars("AAPL", [bar()])
        assert store.verify().ok


def test_the_folder_of_a_store_may_be_a_link(full, tmp_path):
    (tmp_path / "link").symlink_to(full)
    with FileDataStore(tmp_path / "link") as store:
        assert store.verify().ok


@pytest.fixture
def outside(full, tmp_path):
    """The folder of a symbol's bars outside of the store, where a link leads to."""
    shutil.move(full / "prices" / "AAPL", tmp_path / "outside")
    (full / "prices" / "AAPL").symlink_to(tmp_path / "outside")
    shutil.move(full / "fundamentals" / "AAPL", tmp_path / "documents")
    (full / "fundamentals" / "AAPL").symlink_to(tmp_path / "documents")
    return tmp_path / "outside"


def tree(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_link_that_leads_out_of_a_store_is_a_finding(outside, full):
    with FileDataStore(full) as store:
        found = store.verify().findings
    assert {(each.kind, each.place) for each in found} == {
        ("linked", str(full / "prices" / "AAPL")),
        ("linked", str(full / "fundamentals" / "AAPL")),
    }


def test_a_link_is_read_and_never_written_through(outside, full, bar, fundamental):
    before = tree(outside)
    with FileDataStore(full) as store:
        assert len(store.read_bars("AAPL", *ALL)) == 2
        for write in (
            lambda: store.write_bars("AAPL", [bar()]),
            lambda: store.write_bars("AAPL", [bar()], timeframe="1m"),
            lambda: store.delete_bars("AAPL", *ALL),
            lambda: store.write_fundamental("AAPL", fundamental()),
            store.compact,
        ):
            with pytest.raises(StorageError, match="a symbolic link, which is not written through"):
                write()
    assert tree(outside) == before


def test_names_that_are_no_text_stop_nothing(reader, full):
    for place in ("prices", "fundamentals", "events", "state", "audit/orders", "prices/AAPL", ""):
        os.mkdir(os.path.join(os.fsencode(full / place), b"\xff\xfe"))
        (full / place / os.fsdecode(b"\xe9.json")).write_bytes(b"{}")
    report = reader.verify()
    assert {each.kind for each in report.notes} == {"unknown"}
    assert [each.place for each in report.findings] == [
        os.fsdecode(os.fsencode(full / "state") + b"/\xe9.json")
    ]
    assert reader.symbols() == SYMBOLS
    assert reader.strategies() == ["Value", "momentum"]
    assert len(list(reader.iter_fundamentals())) == 3


def deep(prefix, suffix, levels=100_000):
    return prefix + b"[" * levels + b"]" * levels + suffix


def test_json_that_is_too_deep_is_one_finding_and_all_else_is_read(reader, full):
    state, event = full / "state" / "deep.json", full / "events" / "2026-01-09.jsonl"
    state.write_bytes(sealed(deep(b'{"strategy":"deep","state":{"a":', b'},"version":1}')))
    line = (
        b'{"type":"a","symbol":null,"timestamp":"2026-01-09T00:00:00Z",'
        b'"ingested_at":"2026-01-09T00:00:00Z","source":"a","payload":{"a":'
    )
    event.write_bytes(sealed(deep(line, b'},"n":1}')))
    document = full / "fundamentals" / "AAPL" / "2026-01-09T00-00-00.000000Z.json"
    document.write_bytes(sealed(deep(b'{"symbol":', b"}")))
    batch = full / "prices" / ".journal" / "00000009-0123456789abcdef.jsonl"
    batch.write_bytes(sealed(deep(b'{"unknown":', b',"n":1}')))
    found = reader.verify().findings
    assert {each.place for each in found} == set(map(str, (state, event, document, batch)))
    assert {each.kind for each in found} == {"unchecked"}
    assert len(reader.repair().actions) == 0
    for read in (
        lambda: reader.load_strategy_state("deep"),
        lambda: reader.read_events(*ALL),
        lambda: reader.read_fundamental("AAPL"),
        lambda: reader.read_bars("AAPL", *ALL),
    ):
        with pytest.raises(StorageError, match="cannot decode"):
            read()
    assert reader.load_strategy_state("Value") == {"n": 2}


def test_a_record_that_is_too_deep_is_a_storage_error(reader, full):
    body = deep(b'{"seq":1,"unknown":', b',"prev":""')
    log = next(full.glob("audit/orders/*.jsonl"))
    log.write_bytes(b'%b,"hash":"%b"}\n' % (body, sha256(body).hexdigest().encode()))
    with pytest.raises(StorageError, match="nested too deep"):
        reader.read_orders(*ALL)
    assert not reader.verify().ok


def test_a_damaged_series_stops_no_other(reader, full, bar):
    part = min(full.glob("prices/AAPL/*.parquet"))
    part.write_bytes(b"x")
    with pytest.raises(StorageError):
        reader.compact()
    assert not list(full.glob("events/2026-01-07.jsonl")), "the others are sealed"
    assert "AAPL" in reader.symbols()
    assert len(reader.read_bars("MSFT", *ALL)) == 1


def test_a_folder_that_cannot_be_listed_is_reported_and_its_symbol_is_known(
    reader, full, monkeypatch
):
    real = os.listdir

    def refuse(folder):
        if str(folder).endswith("prices/AAPL"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "listdir", refuse)
    assert reader.symbols() == SYMBOLS
    (finding,) = reader.verify().findings
    assert (finding.kind, finding.place) == ("unchecked", str(full / "prices" / "AAPL"))
    assert finding.detail == "could not be checked: cannot list: Permission denied"


def test_a_link_to_itself_in_the_place_of_a_symbol_is_a_finding_and_stops_nothing(reader, full):
    for kind in ("prices", "fundamentals"):
        looped(full / kind / "LOOP")
    assert reader.symbols() == SYMBOLS
    assert len(list(reader.iter_fundamentals())) == 3
    assert {(each.kind, each.place) for each in reader.verify().findings} == {
        ("linked", str(full / kind / "LOOP")) for kind in ("prices", "fundamentals")
    }


def test_an_entry_that_cannot_be_told_counts_as_a_folder(tmp_path):
    class Entry:
        name = "A"

        def is_dir(self):
            raise OSError(5, "Input/output error")

    assert _may_be_folder(Entry())
