"""Stores that earlier releases have written: read whole, written on, and whole again."""

from __future__ import annotations

import importlib.util
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storecore.errors import StorageError
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
    assert len(decisions) == len(orders) >= 3


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
        store.log_decision("value", filling.decision(3))
        store.log_order("value", *filling.order(3))
        check(store, filling)
        assert store.verify().findings == ()
        store.compact()
        check(store, filling)
        assert store.verify().findings == ()
    with FileDataStore(released) as store:
        store.compact()
        check(store, filling)


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
