"""Stores that earlier releases have written: read whole, written on, and whole again."""

from __future__ import annotations

import importlib.util
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storecore.errors import HistoryPruned, InvalidData, StorageError
from storecore.values.times import to_datetime
from storecore_file import FileDataStore
from storecore_file.fs.seal import sealed

RELEASES = Path(__file__).parent / "releases"
NAMES = sorted(path.name for path in RELEASES.iterdir() if path.is_dir() and path.name[0].isdigit())
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def filling():
    spec = importlib.util.spec_from_file_location("filling", RELEASES / "filling.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=NAMES)
def released(request, tmp_path):
    """A copy of the store of a release."""
    return shutil.copytree(RELEASES / request.param, tmp_path / "data")


def last(bars):
    """Return bars as they are stored: the last of a date, in order of time."""
    return sorted({bar.date: bar for bar in bars}.values(), key=lambda bar: bar.date)


def check(store, filling):
    for symbol in filling.DAILY:
        assert store.read_bars(symbol, *ALWAYS) == filling.daily(symbol)
    assert store.read_bars("AAPL", *ALWAYS, timeframe="1m") == filling.minutes()
    for symbol in filling.JOURNALED:
        expected = last([*filling.folded(symbol), *filling.pending(symbol)])
        assert store.read_bars(symbol, *ALWAYS) == expected
    assert store.symbols() == sorted([*filling.DAILY, *filling.JOURNALED])
    assert store.read_events(*ALWAYS) == filling.events()
    for symbol in ("AAPL", "ÿ"):
        assert [
            store.read_fundamental(symbol, each.timestamp) for each in filling.fundamentals(symbol)
        ] == (filling.fundamentals(symbol))
    assert [each.state for each in store.state_history("Value")] == filling.states()[::-1]
    decisions = store.read_decisions(*ALWAYS)
    assert [each.decision for each in decisions] == [
        filling.decision(n) for n in range(len(decisions))
    ]
    orders = store.read_orders(*ALWAYS)
    assert [(each.order, each.result) for each in orders] == [
        filling.order(n) for n in range(len(orders))
    ]
    assert len(decisions) >= len(orders) >= 3


def test_l2_a_store_of_an_earlier_release_is_read_whole_and_unchanged(released, filling):
    def files():
        found = [path for path in released.rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in found if not path.name.endswith("lock")}

    before = files()
    with FileDataStore(released) as store:
        check(store, filling)
        report = store.verify()
        assert report.findings == ()
        assert {note.kind for note in report.notes} <= {"open or close outside its bar", "gap"} | {
            "high below low"
        }
    assert files() == before


def test_l2_a_store_of_an_earlier_release_is_written_on(released, filling):
    with FileDataStore(released) as store:
        for symbol in filling.DAILY:
            store.write_bars(symbol, filling.daily(symbol)[-5:])
        store.write_bars("J0", filling.pending("J0"))
        store.write_bar_table(filling.table(filling.JOURNALED, filling.pending))
        store.log_decision("value", filling.decision(len(store.read_decisions())))
        store.log_order("value", *filling.order(len(store.read_orders())))
        check(store, filling)
        assert store.verify().findings == ()
        store.compact()
        check(store, filling)
        assert store.verify().findings == ()
    with FileDataStore(released) as store:
        store.compact()
        check(store, filling)


@pytest.mark.parametrize("released", ["0.1.0-c", "0.1.0-d"], indirect=True)
def test_b6_further_columns_of_an_earlier_release_are_read_and_written_on(released, filling):
    with FileDataStore(released) as store:
        bars = filling.further()
        assert store.read_bars("AAPL", *ALWAYS, timeframe="5m") == bars
        store.write_bars("AAPL", bars[::-2], timeframe="5m")
        assert store.read_bars("AAPL", *ALWAYS, timeframe="5m") == bars


# What a release that kept no history has held was recorded with its partition.

WITHOUT = [name for name in NAMES if not (RELEASES / name / "history").exists()]


def made_of(released):
    """Return the generations of the partitions of AAPL; those of the first release have none."""
    paths = (released / "prices" / "AAPL").glob("*.parquet")
    found = [re.search(rb'"generation":(\d+)', path.read_bytes()) for path in paths]
    generations = {int(each[1]) if each else 0 for each in found}
    return {to_datetime(each, aware=True) if each else None for each in generations}


@pytest.mark.parametrize("released", WITHOUT, indirect=True)
def test_k1_what_a_store_without_history_held_is_a_version_of_the_time_of_its_partition(
    released, filling
):
    made, days = made_of(released), filling.daily("AAPL")
    with FileDataStore(released) as store:
        began = datetime.now(UTC)
        store.write_bars("AAPL", [filling.bar("AAPL", days[0].date, 77.0)])
        store.delete_bars("AAPL", days[1].date, days[1].date)
        replaced, present, deleted, *others = store.bar_versions("AAPL", *ALWAYS)
        assert [replaced.bar, deleted.bar, *(each.bar for each in others)] == days
        held = {each.recorded_at for each in (replaced, deleted, *others)}
        assert held <= made
        assert replaced.replaced_at == present.recorded_at > began
        assert deleted.replaced_at > present.recorded_at
        assert store.at(ALWAYS[1], recorded=began).read_bars("AAPL", *ALWAYS) == days
        assert store.verify().findings == ()


@pytest.mark.parametrize("released", WITHOUT, indirect=True)
def test_k1_fundamentals_and_events_of_a_store_without_history_are_versions(released, filling):
    with FileDataStore(released) as store:
        began = datetime.now(UTC)
        (first, second), events = filling.fundamentals("AAPL"), filling.events()
        store.write_fundamental("AAPL", filling.fundamental("AAPL", 0, 77))
        store.delete_events(events[0].timestamp, events[-1].timestamp)
        view = store.at(ALWAYS[1], recorded=began)
        assert view.fundamentals("AAPL", *ALWAYS) == [first, second]
        assert view.read_events(*ALWAYS) == events
        assert [each.before for each in store.corrections(began)] == [first, *events]
        assert store.verify().findings == ()


# A store with a history.

WITH = [name for name in NAMES if name not in WITHOUT]


@pytest.fixture(params=WITH)
def history(request, tmp_path):
    """A copy of the store of a release that kept history."""
    return shutil.copytree(RELEASES / request.param, tmp_path / "data")


def check_history(store, filling):
    """Check all that the store of a release says of its past."""
    first, second = sorted(store.snapshots(), key=lambda each: each.recorded_at)
    assert (first.name, first.note, second.name) == ("first", "before the corrections", "second")
    then = store.at(ALWAYS[1], recorded=first.recorded_at)
    for symbol in filling.DAILY:
        name = filling.renamed(symbol)
        assert then.read_bars(name, *ALWAYS) == filling.wrong(name)
        found = [each for each in store.corrections(symbol=symbol) if each.timeframe == "1d"]
        said = {
            (each.timestamp, each.before.close, each.after and each.after.close) for each in found
        }
        assert said == filling.corrected(symbol)
        assert len(found) == len(said)
    assert then.symbols() == sorted({*map(filling.renamed, filling.DAILY), "J0", "J1"})
    assert then.read_bars("AAPL", *ALWAYS, timeframe="1m") == filling.wrong_minutes()
    assert then.read_bars("AAPL", *ALWAYS, timeframe="5m") == [filling.wrong_further()]
    for symbol in ("AAPL", "ÿ"):
        assert then.fundamentals(symbol, *ALWAYS) == filling.wrong_fundamentals(symbol)
    assert then.read_events(*ALWAYS) == filling.wrong_events()
    with pytest.raises(HistoryPruned):
        store.bar_versions("J0", recorded=first.recorded_at - timedelta(days=1))
    seen = [[each.status for each in store.replay(one).reads] for one in store.read_decisions()[3:]]
    assert seen[:3] == [["pruned"], ["corrected", "corrected"], ["same", "same"]]
    with store.at(filling.SEEN, run="bt-7") as run:
        assert run.load_strategy_state("Value") == filling.states()[0]
        (decision,) = store.read_decisions(run="bt-7")
        assert [each.status for each in store.replay(decision).reads] == ["same", "same"]


def test_k1_the_history_of_an_earlier_release_is_read_whole(history, filling):
    with FileDataStore(history) as store:
        check_history(store, filling)
        now = {each.bar.close for each in store.bar_versions("J0") if each.replaced_at is None}
        assert now == {1.0, 3.0, 4}


def test_k1_the_history_of_an_earlier_release_is_written_on(history, filling):
    with FileDataStore(history) as store:
        before = {symbol: store.bar_versions(symbol) for symbol in store.symbols()}
        since = store.recorded_now()
        for symbol in filling.JOURNALED:
            store.write_bars(symbol, [filling.bar(symbol, filling.START, 50.0)])
            store.write_bars(symbol, filling.pending(symbol) + filling.folded(symbol)[:1])
        store.write_bars("AAPL", filling.wrong_minutes(), timeframe="1m")
        store.delete_bars("AAPL", *filling.REST, timeframe="1m")
        store.write_bars("AAPL", filling.minutes(), timeframe="1m")
        assert len(store.corrections(since)) == 10 + 30 + 70 + 30
        check(store, filling)
        check_history(store, filling)
        store.compact()
        check_history(store, filling)
        assert store.verify().findings == ()
    with FileDataStore(history) as store:
        for symbol, versions in before.items():
            kept = [each for each in store.bar_versions(symbol) if each.recorded_at <= since]
            assert [each.bar for each in kept] == [each.bar for each in versions]
        check_history(store, filling)


def test_k1_the_history_of_an_earlier_release_is_pruned(history, filling):
    with FileDataStore(history) as store:
        first = next(each for each in store.snapshots() if each.name == "first")
        with pytest.raises(InvalidData, match="snapshot"):
            store.prune_history(first.recorded_at + timedelta(microseconds=1))
        for each in store.snapshots():
            store.drop_snapshot(each.name)
        assert store.prune_history(store.recorded_now()) > 100
        assert store.corrections() == []
        check(store, filling)
        assert store.verify().findings == ()


# The store's format number.


def test_a_new_store_has_a_format_number_and_an_older_one_stays_without(tmp_path, released):
    with FileDataStore(tmp_path / "new") as store:
        assert store.verify().checked == 1
    assert (tmp_path / "new" / ".storecore").read_text().startswith('{"format":2,')
    had_one = (released / ".storecore").exists()
    FileDataStore(released).close()
    assert (released / ".storecore").exists() == had_one


def test_a_store_of_a_newer_format_is_refused_by_name(base):
    FileDataStore(base).close()
    (base / ".storecore").write_bytes(sealed(b'{"format":9,"more":[]}'))
    with pytest.raises(StorageError, match=r"written by a newer storecore.*format 9") as caught:
        FileDataStore(base)
    assert caught.value.path == str(base / ".storecore")


def test_d5_a_damaged_format_number_keeps_nobody_from_the_data(base, bar, caplog):
    with FileDataStore(base) as store:
        store.write_bars("AAPL", [bar()])
    (base / ".storecore").write_bytes(b'{"format":7}')
    with FileDataStore(base) as store:
        assert len(store.read_bars("AAPL", *ALWAYS)) == 1
        assert "not a whole format number" in caplog.text
        (finding,) = store.verify().findings
        assert (finding.kind, finding.place) == ("damaged", str(base / ".storecore"))
        assert store.repair().ok
