"""A symbol is renamed in all collections, in one step: each reader sees the old name or the new."""

from __future__ import annotations

import pickle
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from msgspec.structs import replace

from storecore import Event, FundamentalData, PriceBar
from storecore.errors import CorruptData, InvalidData, LockTimeout, StorageError
from storecore_file import FileDataStore
from storecore_file.bars.collection import Bars, JournaledError
from storecore_file.bars.decoded import Decoded
from storecore_file.bars.originals import _end_of
from storecore_file.bars.series import Series
from storecore_file.events.collection import Events
from storecore_file.fs.disk import Disk
from storecore_file.fs.stat import fingerprint
from storecore_file.fundamentals import Fundamentals
from storecore_file.rename_intent import MARK, Renames
from storecore_file.renaming import Renaming

JAN_5 = datetime(2026, 1, 5, tzinfo=UTC)
SYMBOLS = ("FB", "META", "AAPL")


def bars(symbol, days, close=1.0, extra=None):
    dates = [JAN_5 + timedelta(day) for day in days]
    return [PriceBar(symbol, date, 1.0, 2.0, 0.5, close, 7, extra) for date in dates]


def event(symbol, number, day=0):
    at = JAN_5 + timedelta(day, minutes=number)
    return Event("tick", symbol, at, at, "test", {"n": number})


def filing(symbol, day, name="Facebook"):
    at = JAN_5 + timedelta(day)
    return FundamentalData(symbol=symbol, timestamp=at, company_name=name, cik="1", raw_xml="")


def table(*series):
    rows = [bar for each in series for bar in each]
    names = PriceBar.__struct_fields__[:7]
    return pa.table({name: [getattr(row, name) for row in rows] for name in names})


def fill(store, symbol="FB"):
    store.write_bars(symbol, bars(symbol, range(75)))
    store.write_bars(symbol, bars(symbol, range(5), extra={"vwap": 1.5}), timeframe="1h")
    store.write_bars(symbol, bars(symbol, range(5)), timeframe="t" * 300)
    store.write_fundamentals([filing(symbol, day) for day in range(3)])
    store.write_events([event(symbol, n, day) for n in range(3) for day in range(2)])
    store.compact()
    store.write_events([event(symbol, 9, 1), event(None, 3, 2), event("AAPL", 4, 1)])


def told(store, symbols=SYMBOLS):
    """Return all that a store says of its symbols, by symbol."""
    found = {}
    for symbol in symbols:
        timeframes = store.timeframes(symbol)
        found[symbol] = {
            "bars": [
                (name, bar.date, bar.close, bar.extra)
                for name in timeframes
                for bar in store.read_bars(symbol, timeframe=name)
            ],
            "fundamentals": [each.timestamp for each in store.fundamentals(symbol)],
            "events": [
                (each.timestamp, each.payload["n"]) for each in store.read_events(symbols=[symbol])
            ],
        }
        coverage = {each.timeframe for each in store.inventory() if each.symbol == symbol}
        assert coverage == {*timeframes}
        assert (symbol in store.symbols()) == bool(timeframes)
        assert (symbol in store.fundamental_symbols()) == bool(found[symbol]["fundamentals"])
        assert (symbol in store.event_symbols()) == bool(found[symbol]["events"])
        assert {each.symbol for each in store.fundamentals(symbol)} <= {symbol}
        newest = store.read_fundamental(symbol)
        assert (newest is not None) == bool(found[symbol]["fundamentals"])
    events = [each.symbol for each in store.read_events()]
    assert [each.symbol for each in store.iter_events()] == events
    return found


NOTHING = {"bars": [], "fundamentals": [], "events": []}


@pytest.fixture
def filled(store, small):
    fill(store)
    return store


@pytest.fixture
def outcomes(filled):
    """What is told before and after FB is renamed to META."""
    before = told(filled)
    return before, {**before, "FB": NOTHING, "META": before["FB"]}


def test_all_data_of_a_symbol_are_renamed(filled, base, outcomes, whole_layout):
    filled.rename_symbol("FB", "META")
    assert told(filled) == outcomes[1]
    assert filled.verify().ok
    assert list(base.rglob(MARK)) == []
    assert list((base / "prices" / "FB").rglob("*.parquet")) == []
    assert list((base / "fundamentals" / "FB").iterdir()) == []
    whole_layout(base)
    with FileDataStore(base, create=False) as other:
        assert told(other) == outcomes[1]


def test_a_symbol_may_be_renamed_back_and_forth(filled, outcomes):
    for _ in range(2):
        filled.rename_symbol("FB", "META")
        assert told(filled) == outcomes[1]
        filled.rename_symbol("META", "FB")
        assert told(filled) == outcomes[0]
    assert filled.verify().ok


def test_rows_of_the_journal_are_renamed_too(filled):
    filled.write_bar_table(table(bars("FB", [80], 9.0), bars("AAPL", [80], 9.0)))
    before = filled.read_bars("FB")
    filled.rename_symbol("FB", "META")
    assert [bar.close for bar in filled.read_bars("META")] == [bar.close for bar in before]
    assert filled.read_bars("FB") == []
    filled.write_bar_table(table(bars("FB", [80], 8.0), bars("META", [81], 8.0)))
    filled.compact()
    assert [bar.close for bar in filled.read_bars("FB")] == [8.0]
    assert [bar.close for bar in filled.read_bars("META")][-2:] == [9.0, 8.0]
    assert filled.verify().ok


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.write_bars("META", bars("META", [1]), timeframe="5m"),
        lambda store: store.write_fundamental("META", filing("META", 1)),
        lambda store: store.write_event(event("META", 1)),
        lambda store: store.write_bar_table(table(bars("META", [1]), bars("AAPL", [1]))),
    ],
)
def test_a_name_that_has_data_is_refused(filled, write):
    write(filled)
    before = told(filled)
    with pytest.raises(InvalidData, match="'META' has data already"):
        filled.rename_symbol("FB", "META")
    assert told(filled) == before


def test_a_symbol_without_data_is_refused(filled, outcomes):
    with pytest.raises(InvalidData, match="'GOOG' has no bars, fundamentals or events"):
        filled.rename_symbol("GOOG", "META")
    assert told(filled) == outcomes[0]


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.write_bars("FB", bars("FB", [1])),
        lambda store: store.write_fundamental("FB", filing("FB", 1)),
        lambda store: store.write_event(event("FB", 1)),
    ],
)
def test_a_symbol_of_one_kind_is_renamed_in_a_store_that_lacks_others(base, write):
    (base / "audit").mkdir(parents=True)
    with FileDataStore(base, create=False) as store:
        write(store)
        before = told(store)
        store.rename_symbol("FB", "META")
        assert told(store) == {**before, "FB": NOTHING, "META": before["FB"]}
        assert store.verify().ok


@pytest.mark.parametrize(("with_events", "number"), [(False, 3), (True, 4)])
def test_an_older_release_refuses_a_store_in_which_a_symbol_was_renamed(base, with_events, number):
    with FileDataStore(base) as store:
        store.write_bars("FB", [PriceBar("FB", JAN_5, 1.0, 1.0, 1.0, 1.0, 1.0)])
        if with_events:
            store.write_event(event("FB", 0))
        store.rename_symbol("FB", "META")
    assert b'"format":%d' % number in (base / ".storecore").read_bytes()


def test_deleted_events_and_late_ones_keep_their_days(filled):
    filled.delete_events(JAN_5, JAN_5 + timedelta(minutes=1))
    before = told(filled)
    filled.rename_symbol("FB", "META")
    filled.write_event(event("FB", 50))
    filled.rename_symbol("META", "GOOG")
    after = told(filled, ("FB", "META", "GOOG"))
    assert after["GOOG"] == before["FB"]
    assert len(after["FB"]["events"]) == 1
    assert filled.verify().ok


# A rename that is interrupted.


class Interrupted(BaseException):
    pass


QUICK = {2, 5, 6, 8}  # in the default run


@pytest.fixture(
    params=[n if n in QUICK else pytest.param(n, marks=pytest.mark.soak) for n in range(10)]
)
def interrupted(request, filled, outcomes, monkeypatch):
    """A store whose rename was killed at some step, and what it is to tell then."""
    calls = []
    number = request.param
    with monkeypatch.context() as patch:

        def killed(cls, name, only, after=False):
            real = getattr(cls, name)

            def call(*args, **kwargs):
                calls.append(name)
                if len(calls) == only:
                    if after:
                        real(*args, **kwargs)
                    raise Interrupted
                return real(*args, **kwargs)

            patch.setattr(cls, name, call)

        def nothing(*given):
            raise Interrupted  # a killed process takes nothing back

        patch.setattr(Renaming, "_take_back", nothing)
        if number < 2:  # before or after the intent
            killed(Renames, "write", 1, after=number == 1)
        elif number < 5:  # within the marks and copies
            killed(Disk, "replace", (3, 6, 9)[number - 2])
        elif number < 7:  # before or after the step
            killed(Renames, "write", 2, after=number == 6)
        elif number < 9:  # within what is removed
            killed(Disk, "remove", (1, 5)[number - 7])
        else:
            killed(Renames, "write", 3, after=True)
        with pytest.raises(Interrupted):
            filled.rename_symbol("FB", "META")
    filled.close()
    return outcomes[number >= 6]


def test_an_interrupted_rename_leaves_the_old_name_or_the_new(interrupted, base):
    with FileDataStore(base, create=False) as store:
        before = {path: path.stat().st_mtime_ns for path in base.rglob("*")}
        assert told(store) == interrupted
        assert store.verify().ok
        assert {path: path.stat().st_mtime_ns for path in base.rglob("*")} == before


@pytest.mark.parametrize("symbol", ["FB", "META"])
def test_a_write_after_an_interrupted_rename_is_whole(interrupted, base, symbol):
    with FileDataStore(base) as store:
        if not interrupted[symbol]["bars"]:
            store.write_event(event(symbol, 77, 1))
        store.write_bars(symbol, bars(symbol, [200], 5.0))
        store.write_fundamental(symbol, filing(symbol, 9))
        store.write_bars(symbol, bars(symbol, [9], 5.0), timeframe="1h")
        store.compact()
        found = told(store)
        assert ("1d", JAN_5 + timedelta(200), 5.0, None) in [
            (name, date.replace(tzinfo=UTC), close, extra)
            for name, date, close, extra in found[symbol]["bars"]
        ]
        assert len(found[symbol]["bars"]) == len(interrupted[symbol]["bars"]) + 2
        assert len(found[symbol]["fundamentals"]) == len(interrupted[symbol]["fundamentals"]) + 1
        other = "META" if symbol == "FB" else "FB"
        assert found[other] == interrupted[other]
        assert store.verify().ok
        assert list(base.rglob(MARK)) == []


def test_an_interrupted_rename_is_finished_by_the_next(interrupted, base, outcomes):
    with FileDataStore(base) as store:
        if interrupted["FB"]["bars"]:
            store.rename_symbol("FB", "META")
        assert told(store) == outcomes[1]
        store.rename_symbol("META", "FB")
        assert told(store) == outcomes[0]
        assert list(base.rglob(MARK)) == []


def test_events_are_deleted_after_an_interrupted_rename(interrupted, base):
    with FileDataStore(base) as store:
        for symbol in ("FB", "META"):
            count = len(interrupted[symbol]["events"])
            assert store.delete_events(JAN_5, JAN_5 + timedelta(9), symbols=[symbol]) == count
        assert {each.symbol for each in store.read_events()} == {"AAPL", None}


def test_fundamentals_are_deleted_after_an_interrupted_rename(interrupted, base):
    with FileDataStore(base) as store:
        for symbol in ("FB", "META"):
            count = len(interrupted[symbol]["fundamentals"])
            assert store.delete_fundamentals(symbol, JAN_5, JAN_5 + timedelta(9)) == count
        assert store.fundamental_symbols() == []


def test_d2_a_rename_that_fails_leaves_the_old_name(filled, base, outcomes, monkeypatch):
    def fail(*given):
        raise StorageError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("storecore_file.fundamentals.replace_all", fail)
        with pytest.raises(StorageError, match="no room"):
            filled.rename_symbol("FB", "META")
    assert told(filled) == outcomes[0]
    assert list(base.rglob(MARK)) == []
    assert list((base / "prices" / "META").rglob("*.parquet")) == []


def test_what_cannot_be_removed_after_the_step_is_removed_later(
    filled, base, outcomes, monkeypatch, caplog
):
    def fail(self, intent):
        raise StorageError("it is busy")

    with monkeypatch.context() as patch:
        patch.setattr(Renaming, "_finish", fail)
        filled.rename_symbol("FB", "META")
    assert "done by a later write" in caplog.text
    assert told(filled) == outcomes[1]
    filled.write_bars("FB", bars("FB", [0]))
    assert list(base.rglob(MARK)) == []


def test_a_document_that_was_replaced_since_it_was_copied_stays(filled, base, monkeypatch):
    real = Renaming._finish

    def finish(self, intent):
        monkeypatch.setattr(Renaming, "_finish", real)
        (base / "fundamentals" / "FB" / MARK).rename(base / "mark")
        with FileDataStore(base) as other:
            other.write_fundamental("FB", filing("FB", 1, "Another"))
        (base / "mark").rename(base / "fundamentals" / "FB" / MARK)
        real(self, intent)

    monkeypatch.setattr(Renaming, "_finish", finish)
    filled.rename_symbol("FB", "META")
    assert [each.company_name for each in filled.fundamentals("FB")] == ["Another"]
    assert len(filled.fundamentals("META")) == 3


def test_a_mark_without_a_rename_is_nothing(filled, base, outcomes):
    for folder in ("prices/FB", "prices/FB/1h", "fundamentals/FB", "events"):
        (base / folder / MARK).touch()
    assert told(filled) == outcomes[0]
    filled.write_bars("FB", bars("FB", [0]))
    filled.write_fundamental("FB", filing("FB", 0))
    assert told(filled)["FB"]["fundamentals"] == outcomes[0]["FB"]["fundamentals"]
    assert filled.verify().ok
    assert "unknown" not in {each.kind for each in filled.verify().notes}


def test_d5_a_damaged_record_of_a_rename_is_reported(filled, base):
    filled.rename_symbol("FB", "META")
    path = base / ".rename"
    path.write_bytes(path.read_bytes()[:-3])
    assert [each.kind for each in filled.verify().findings] == ["damaged"]
    assert filled.read_bars("META") != []  # no folder is marked
    with pytest.raises(CorruptData, match="not a whole record of a rename"):
        filled.rename_symbol("META", "FB")


def test_a_store_that_was_pickled_settles_a_rename_too(interrupted, base):
    with pickle.loads(pickle.dumps(FileDataStore(base))) as store:
        store.write_bars("FB", bars("FB", [300]))
        store.write_bars("META", bars("META", [300]))
        assert len(told(store)["META"]["bars"]) == len(interrupted["META"]["bars"]) + 1


def test_d4_a_rename_beside_writers_and_readers_loses_nothing(filled, base):
    """One thread writes events, bars and documents of both names, one reads, one renames."""
    done, wrong, written = threading.Event(), [], []

    def write():
        with FileDataStore(base) as store:
            for number in range(300, 340):
                store.write_event(event("FB", number % 60, number))
                store.write_bars("FB", bars("FB", [number]))
                store.write_fundamental("FB", filing("FB", number))
                written.append(number)

    def read():
        with FileDataStore(base, create=False) as store:
            while not done.is_set():
                found = [bar.close for bar in store.read_bars("FB", end=JAN_5 + timedelta(74))]
                if len(found) not in (0, 75):
                    wrong.append(len(found))

    threads = [threading.Thread(target=each) for each in (write, read)]
    for each in threads:
        each.start()
    filled.rename_symbol("FB", "META")
    threads[0].join()
    done.set()
    threads[1].join()
    late = JAN_5 + timedelta(300)
    assert wrong == []
    assert len(written) == 40
    names = [*filled.read_bars("FB", late), *filled.read_bars("META", late)]
    assert sorted({(bar.date - late.replace(tzinfo=UTC)).days for bar in names}) == [*range(40)]
    filings = [*filled.fundamentals("FB", late), *filled.fundamentals("META", late)]
    assert len({each.timestamp for each in filings}) == 40
    events = filled.read_events(late, symbols=["FB", "META"])
    assert len(events) == 40
    assert filled.verify().ok


def test_b4_events_that_are_renamed_while_they_are_read_are_read_again(filled, base, monkeypatch):
    real = Events._answer

    def answer(self, *given):
        found = real(self, *given)
        monkeypatch.setattr(Events, "_answer", real)
        with FileDataStore(base) as other, monkeypatch.context() as patch:
            patch.setattr(Renaming, "_finish", lambda self, intent: None)
            other.rename_symbol("FB", "META")
        return found

    monkeypatch.setattr(Events, "_answer", answer)
    assert {each.symbol for each in filled.read_events()} == {"META", "AAPL", None}


@pytest.mark.parametrize(("old", "new"), [("FB", "META"), ("FB", "AA")])
def test_b4_symbols_of_fundamentals_are_listed_under_one_name(filled, base, monkeypatch, old, new):
    """The folders are listed one by one, the new name after the old one or before it."""
    real = Fundamentals._names

    def names(self, folder):
        found = real(self, folder)
        monkeypatch.setattr(Fundamentals, "_names", real)
        with FileDataStore(base) as other:
            other.rename_symbol(old, new)
        return found

    filled.write_fundamental("AA0", filing("AA0", 0))
    filled.delete_fundamentals("AA0", JAN_5, JAN_5)
    monkeypatch.setattr(Fundamentals, "_names", names)
    assert filled.fundamental_symbols() == [new]


def test_b4_filings_of_a_symbol_that_is_renamed_are_read_all_or_none(filled, base, monkeypatch):
    real = Fundamentals._document

    def document(self, path):
        found = real(self, path)
        if renames:
            monkeypatch.setattr(Fundamentals, "_document", real)
            with FileDataStore(base) as other:
                other.rename_symbol(*renames.pop())
        return found

    renames = [("FB", "META")]
    monkeypatch.setattr(Fundamentals, "_document", document)
    assert filled.fundamentals("FB") == []
    assert len(filled.fundamentals("META")) == 3


def test_filings_that_vanish_at_each_listing_are_an_error(filled, monkeypatch):
    monkeypatch.setattr(Fundamentals, "_document", lambda self, path: None)
    with pytest.raises(StorageError, match="its files vanished while they were read"):
        filled.fundamentals("FB")


def test_d4_rows_that_come_into_the_journal_before_it_is_locked_are_renamed_too(
    filled, base, monkeypatch
):
    real = Bars.locked

    def locked(self, old, new, names=()):
        monkeypatch.setattr(Bars, "locked", real)
        with FileDataStore(base) as other:
            other.write_bar_table(table(bars("FB", [90], 9.0), bars("AAPL", [90], 9.0)))
            other._bars._appended = False
        return real(self, old, new, names)

    monkeypatch.setattr(Bars, "locked", locked)
    filled.rename_symbol("FB", "META")
    assert filled.read_bars("FB") == []
    assert filled.read_bars("META")[-1].close == 9.0
    assert filled.verify().ok


# Files that an interrupted rename meets, and that are not of it.


@pytest.fixture(params=["prepared", "committed"])
def unfinished(request, filled, monkeypatch):
    """A store whose rename was killed before or after its step; and the name that is hidden."""

    def killed(*given):
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(Renaming, "_take_back", killed)
        patch.setattr(Renaming, "_finish", killed)
        if request.param == "prepared":
            patch.setattr(Events, "days_with", killed)
        with pytest.raises(Interrupted):
            filled.rename_symbol("FB", "META")
    filled.close()
    return {"prepared": "META", "committed": "FB"}[request.param]


def brought(base, symbol, tmp_path):
    """Put a partition that the store lacks into a symbol's folder; return its path."""
    with FileDataStore(tmp_path / "other") as other:
        other.write_bars(symbol, bars(symbol, [800]))
    (path,) = (tmp_path / "other" / "prices" / symbol).glob("*.parquet")
    return Path(shutil.copy(path, base / "prices" / symbol))


def renaming_notes(store):
    return [each.place for each in store.verify().notes if each.kind == "renaming"]


def test_d6_partitions_that_are_not_of_an_interrupted_rename_stay(
    unfinished, base, tmp_path, caplog
):
    """As a process of a release without renames writes them, or a backup brings them."""
    path = brought(base, unfinished, tmp_path)
    with FileDataStore(base) as store:
        before = told(store)
        store.compact()
        after = told(store)
        assert store.verify().ok
    assert path.exists()
    assert "neither copied nor written by the rename" in caplog.text
    assert [date for _, date, _, _ in after[unfinished]["bars"]] == [
        (JAN_5 + timedelta(800)).replace(tzinfo=None)
    ]
    assert {**after, unfinished: NOTHING} == before
    assert list(base.rglob(MARK)) == []


def test_d6_a_damaged_partition_in_a_marked_folder_stays(unfinished, base):
    path = min((base / "prices" / unfinished).glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-20])
    with FileDataStore(base) as store:
        store.write_fundamental("FB", filing("FB", 300))
    assert path.exists()
    assert list(base.rglob(MARK)) == []


def test_d6_a_record_and_marks_that_are_laid_over_a_later_store_lose_nothing(unfinished, base):
    record = (base / ".rename").read_bytes()
    marks = list(base.rglob(MARK))
    with FileDataStore(base) as store:
        store.compact()
        if unfinished == "META":
            store.rename_symbol("FB", "META")
        store.write_bars(unfinished, bars(unfinished, range(30), 9.0))
        store.write_fundamental(unfinished, filing(unfinished, 60, "Another"))
        before = told(store)
    (base / ".rename").write_bytes(record)
    for mark in marks:
        mark.touch()
    with FileDataStore(base) as store:
        store.compact()
        assert told(store) == before


def test_d6_originals_whose_copies_are_missing_stay(unfinished, base):
    for path in (base / "prices" / "META").glob("*.parquet"):
        path.unlink()
    with FileDataStore(base) as store:
        store.compact()
        assert len(store.read_bars("FB")) == 75


def test_d6_a_record_that_proves_nothing_removes_no_partition(unfinished, base):
    """As the first release with renames has left it."""
    renames = Renames(Disk("os"), base)
    renames.write(replace(renames.read(), originals={}, generation=0))
    before = {*(base / "prices").rglob("*.parquet")}
    with FileDataStore(base) as store:
        store.write_fundamental("FB", filing("FB", 300))
    assert {*(base / "prices").rglob("*.parquet")} == before
    assert list(base.rglob(MARK)) == []


def test_d5_an_interrupted_rename_is_noted_with_what_is_not_of_it(unfinished, base, tmp_path):
    record = str(base / ".rename")
    with FileDataStore(base) as store:
        assert renaming_notes(store) == [record]
        path = brought(base, unfinished, tmp_path)
        assert {*renaming_notes(store)} == {record, str(path)}
        store.compact()
        assert renaming_notes(store) == []


def test_the_end_of_a_partition_that_is_gone_proves_nothing(tmp_path):
    assert _end_of(Disk("os"), tmp_path / "2026-01.parquet") == (-1, -1)


@pytest.mark.parametrize("name", ["Facebook", "Another"])
def test_d4_a_document_that_the_new_name_gets_before_the_mark_is_never_replaced(
    filled, base, outcomes, monkeypatch, name
):
    real = Fundamentals.folders_to_mark

    def folders_to_mark(self, old, new):
        with FileDataStore(base) as other:
            other.write_fundamental("META", filing("META", 1, name))
        return real(self, old, new)

    monkeypatch.setattr(Fundamentals, "folders_to_mark", folders_to_mark)
    with pytest.raises(InvalidData, match="'META' has data already"):
        filled.rename_symbol("FB", "META")
    assert [each.company_name for each in filled.fundamentals("META")] == [name]
    assert told(filled, ("FB",))["FB"] == outcomes[0]["FB"]
    assert list(base.rglob(MARK)) == []


def test_a_rename_looks_at_no_folder_of_another_symbol(filled, base, monkeypatch):
    """Its cost would grow with the number of symbols."""
    for symbol in ("AAPL", "MSFT"):
        filled.write_bars(symbol, bars(symbol, range(3)))
        filled.write_fundamental(symbol, filing(symbol, 0))
    filled.compact()
    seen, real = set(), Disk.names

    def names(self, folder):
        seen.add(Path(folder).relative_to(base).parts)
        return real(self, folder)

    monkeypatch.setattr(Disk, "names", names)
    filled.rename_symbol("FB", "META")
    assert ("prices", "META") in seen
    assert {each for each in seen if {"AAPL", "MSFT"} & {*each}} == set()


def test_d6_partitions_of_another_state_refuse_a_rename_until_they_are_brought_together(
    store, base, tmp_path
):
    store.write_bars("FB", bars("FB", range(30)))
    other = tmp_path / "other"
    shutil.copytree(base, other)
    with FileDataStore(other) as copied:
        copied.write_bars("FB", bars("FB", [3], 9.0))
    store.delete_bars("FB", JAN_5, JAN_5 + timedelta(99))
    store.write_bars("FB", bars("FB", range(10, 60), 3.0))
    for path in (other / "prices" / "FB").glob("*.parquet"):
        shutil.copy(path, base / "prices" / "FB")
    before = {path: path.read_bytes() for path in (base / "prices").rglob("*.parquet")}
    with pytest.raises(StorageError, match="run `storecore compact`, which keeps it in quarantine"):
        store.rename_symbol("FB", "META")
    assert {path: path.read_bytes() for path in (base / "prices").rglob("*.parquet")} == before
    assert list(base.rglob(MARK)) == []
    store.compact()
    store.rename_symbol("FB", "META")
    assert list((base / "aside").rglob("*.parquet")) != []
    assert len(store.read_bars("META")) >= 50


@pytest.mark.parametrize(("first", "second"), [("META", "FB"), ("FB", "META")])
def test_b4_a_table_of_symbols_that_is_read_across_a_rename_has_one_of_both_names(
    filled, base, monkeypatch, first, second
):
    """Seen again by the same store object, which has kept what it saw of the record, and bars."""
    names = []

    def before_the_rename(read):
        def found(*given, **options):
            bars = read(*given, **options)
            if names:
                with FileDataStore(base) as other:
                    other.rename_symbol(*names.pop())
            return bars

        return found

    for owner, read in [(Series, "load"), (Decoded, "pieces")]:  # which one, the clock decides
        monkeypatch.setattr(owner, read, before_the_rename(getattr(owner, read)))
    for old, new in [("FB", "META"), ("META", "FB")]:
        names.append((old, new))
        assert {*filled.read_bar_table([first, second])["symbol"].to_pylist()} == {new}
        assert names == []
        assert filled.read_bar_table([first, second]).num_rows == 75


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.symbols(),
        lambda store: sorted({each.symbol for each in store.inventory()}),
    ],
)
def test_b4_questions_of_all_symbols_across_a_rename_find_one_of_both_names(
    filled, base, monkeypatch, ask
):
    real = Disk.folder_names

    def folder_names(self, folder):
        found = real(self, folder)
        if folder.name == "prices":
            monkeypatch.setattr(Disk, "folder_names", real)
            with FileDataStore(base) as other:
                other.rename_symbol("FB", "META")
        return found

    monkeypatch.setattr(Disk, "folder_names", folder_names)
    assert ask(filled) == ["META"]


def test_a_read_of_one_symbol_does_not_look_at_the_record_of_renames(filled, base, monkeypatch):
    looks = []

    def look(path):
        looks.append(Path(path).name)
        return fingerprint(path)

    monkeypatch.setattr("storecore_file.rename_intent.fingerprint", look)
    filled.read_bar_table(["FB"])
    assert looks == []
    filled.symbols()
    looks.clear()
    filled.read_bar_table(["FB", "META"])
    assert looks == [".rename"]


def damage_record(base):
    path = base / ".rename"
    path.write_bytes(path.read_bytes()[:-3])


def test_d5_a_damaged_record_goes_to_quarantine_if_no_folder_is_marked(filled, base):
    filled.rename_symbol("FB", "META")
    damage_record(base)
    with pytest.raises(CorruptData, match="`storecore repair` moves it to quarantine"):
        filled.rename_symbol("META", "FB")
    (action,) = filled.repair().actions
    assert action.startswith("moved .rename to aside")
    filled.rename_symbol("META", "FB")
    assert filled.verify().ok


def test_d5_a_damaged_record_of_an_interrupted_rename_stays(unfinished, base):
    damage_record(base)
    with FileDataStore(base) as store:
        repaired = store.repair()
    assert (base / ".rename").exists()
    assert repaired.actions == ()
    assert str(base / ".rename") in [each.place for each in repaired.findings]


def test_a_superseded_partition_that_a_killed_writer_left_does_not_refuse_a_rename(store, base):
    store.write_bars("FB", bars("FB", range(5)))
    (path,) = (base / "prices" / "FB").glob("*.parquet")
    content = path.read_bytes()
    store.write_bar_table(table(bars("FB", range(40))), replace=True)
    assert not path.exists()
    path.write_bytes(content)
    store.rename_symbol("FB", "META")
    assert len(store.read_bars("META")) == 40
    assert store.read_bars("FB") == []
    assert list((base / "prices" / "FB").glob("*.parquet")) == []


# Batches of others, and of the symbol, that come while its bars are copied.


@pytest.fixture
def while_copied(monkeypatch):
    """Call something after each copy of a symbol's bars, with the number of the copy."""

    def arrange(work):
        real, copies = Bars.copy_symbol, []

        def copy(self, intent):
            real(self, intent)
            copies.append(intent)
            work(len(copies))

        monkeypatch.setattr(Bars, "copy_symbol", copy)
        return copies

    return arrange


def test_others_append_to_the_journal_while_bars_are_copied(store, base, while_copied):
    fill(store)
    with FileDataStore(base, lock_timeout=0.2) as other:
        copies = while_copied(
            lambda number: other.write_bar_table(table(bars("X", [1]), bars("Y", [1])))
        )
        store.rename_symbol("FB", "META")
    assert len(copies) == 1
    assert {"META", "X", "Y"} <= {*store.symbols()}
    assert store.verify().ok


@pytest.mark.parametrize("times", [1, 2])
def test_d4_bars_that_come_while_a_symbol_is_copied_are_renamed_too(
    store, base, while_copied, times
):
    fill(store)
    with FileDataStore(base, lock_timeout=0.2) as other:

        def write(number):
            if number <= times:
                other.write_bar_table(table(bars("FB", [200 + number]), bars("X", [number])))

        copies = while_copied(write)
        store.rename_symbol("FB", "META")
    assert len(copies) == times + 1
    assert [bar.date.replace(tzinfo=UTC) for bar in store.read_bars("META", last=times)] == [
        JAN_5 + timedelta(201 + number) for number in range(times)
    ]
    assert store.read_bars("FB") == []
    assert store.verify().ok


def test_d4_bars_of_the_new_name_that_come_meanwhile_refuse_the_rename(store, base, while_copied):
    fill(store)
    with FileDataStore(base, lock_timeout=0.2) as other:
        while_copied(lambda number: other.write_bar_table(table(bars("META", [1]), bars("X", [1]))))
        with pytest.raises(InvalidData, match="META"):
            store.rename_symbol("FB", "META")
    assert len(store.read_bars("FB")) == 75
    assert len(store.read_bars("META")) == 1
    assert store.verify().ok


def test_others_wait_for_a_rename_that_has_been_taken_back_often(store, base, while_copied):
    fill(store)
    waited = []
    with FileDataStore(base, lock_timeout=0.2) as other:

        def write(number):
            try:
                other.write_bar_table(table(bars("FB", [200 + number]), bars("X", [number])))
            except LockTimeout:
                waited.append(number)

        while_copied(write)
        store.rename_symbol("FB", "META")
    assert waited == [3]
    assert len(store.read_bars("META")) == 77
    assert store.verify().ok


def test_rows_that_come_before_a_rename_takes_the_lock_of_appends_are_flushed(
    store, monkeypatch, while_copied
):
    fill(store)
    real, calls = Bars.without_rows, []

    def without_rows(self, *symbols):
        calls.append(symbols)
        if len(calls) in (1, 3, 5, 7):
            raise JournaledError
        return real(self, *symbols)

    monkeypatch.setattr(Bars, "without_rows", without_rows)
    store.rename_symbol("FB", "META")
    assert len(calls) > 7
    assert len(store.read_bars("META")) == 75
