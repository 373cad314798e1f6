"""A store held to a checkpoint: what it says of what is gone, and what it does about damage."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from storecore import CorruptData, PriceBar, StoreClosed
from storecore.builtin.memory import MemoryDataStore
from storecore.store.checkpoints import take_checkpoint, verify_against

JAN_5 = datetime(2026, 1, 5)
EVER = datetime.min, datetime.max


class Damaged(MemoryDataStore):
    """A store in which something cannot be read: what `broken` says."""

    broken = ()

    def check(self, what):
        if what in self.broken:
            raise CorruptData(f"/data/{what}: its checksum does not match", f"/data/{what}")

    def read_bars(self, symbol, *args, **kwargs):
        self.check(symbol)
        return super().read_bars(symbol, *args, **kwargs)

    def read_bar_table(self, symbols, *args, **kwargs):
        self.check(symbols if isinstance(symbols, str) else symbols[0])
        return super().read_bar_table(symbols, *args, **kwargs)

    def read_fundamental(self, symbol, as_of=None):
        self.check(f"fundamentals/{symbol}")
        return super().read_fundamental(symbol, as_of)

    def iter_fundamentals(self):
        for each in super().iter_fundamentals():
            self.check(f"fundamentals/{each.symbol}")
            yield each

    def read_events(self, start, end, types=None):
        self.check(f"events/{start.date()}")
        return super().read_events(start, end, types)

    def iter_events(self):
        for each in super().iter_events():
            self.check(f"events/{each.timestamp.date()}")
            yield each

    def load_versioned_state(self, strategy_name):
        self.check(strategy_name)
        return super().load_versioned_state(strategy_name)

    def iter_audit(self, log, after=0):
        self.check(log)
        return super().iter_audit(log, after)


@pytest.fixture
def store(bar, event, fundamental, decision):
    """Three of each kind that can be damaged alone."""
    store = Damaged()
    for number, name in enumerate(("A", "B", "C")):
        day = JAN_5 + timedelta(number)
        store.write_bars(name, [bar(symbol=name)])
        store.write_fundamental(name, fundamental(symbol=name))
        store.write_event(event(day))
        store.save_strategy_state(f"state {name}", {})
    store.log_decision("value", decision())
    return store


def findings(store, taken):
    return {(each.kind, each.place) for each in store.verify(against=taken).findings}


@pytest.mark.parametrize(
    ("what", "place"),
    [
        ("B", "bars of B (1d)"),
        ("fundamentals/B", "fundamentals of B"),
        ("events/2026-01-06", "events of 2026-01-06"),
        ("state B", "state of state B"),
        ("decisions", "log of decisions"),
    ],
)
def test_what_cannot_be_read_is_a_finding_and_all_else_is_compared(store, what, place):
    taken = store.checkpoint()
    store.broken = (what,)
    store._report = lambda: MemoryDataStore().verify()  # anomalies need the bars
    assert findings(store, taken) == {("unchecked", place)}
    (finding,) = store.verify(against=taken).findings
    assert finding.detail == f"it could not be read: /data/{what}: its checksum does not match"
    assert finding.file == f"/data/{what}"


def test_behind_what_cannot_be_read_the_missing_is_found_as_well(store):
    taken = store.checkpoint()
    store.broken = ("fundamentals/A", "events/2026-01-05")
    del store._fundamentals.by_symbol["C"]
    store._events.held.pop()
    assert findings(store, taken) == {
        ("unchecked", "fundamentals of A"),
        ("unchecked", "events of 2026-01-05"),
        ("missing", "fundamentals of C"),
        ("missing", "events of 2026-01-07"),
    }


def test_of_a_damaged_store_there_is_no_checkpoint(store):
    store.broken = ("B",)
    with pytest.raises(CorruptData, match="/data/B"):
        store.checkpoint()


def test_a_line_of_the_audit_log_that_is_not_whole_is_unchecked(store):
    taken = store.checkpoint()
    store._logs["decisions"].kept = [b'{"seq":1}\n']
    report = store.verify(against=taken)
    assert [each.kind for each in report.findings] == ["edited", "unchecked"]
    with pytest.raises(CorruptData, match="log of decisions"):
        store.checkpoint()


def test_the_years_that_have_fewer_bars_are_named():
    store = MemoryDataStore()
    days = [datetime(year, 1, day) for year in range(2001, 2010) for day in (2, 3)]
    store.write_bars("A", [PriceBar("A", day, 1, 1, 1, 1, 1) for day in days])
    taken = store.checkpoint()
    store.delete_bars("A", datetime(2003, 1, 3), datetime(2005, 1, 2))
    store.write_bars("A", [PriceBar("A", datetime(2007, 5, d), 1, 1, 1, 1, 1) for d in range(1, 9)])
    (finding,) = store.verify(against=taken).findings
    assert (
        finding.detail
        == "fewer than at the checkpoint: 1 of 2 in 2003, 0 of 2 in 2004, 1 of 2 in 2005"
    )
    store.delete_bars("A", datetime(2001, 1, 1), datetime(2008, 1, 1))
    (finding,) = store.verify(against=taken).findings
    assert finding.detail == (
        "fewer than at the checkpoint: 0 of 2 in 2001, 0 of 2 in 2002, 0 of 2 in 2003, "
        "0 of 2 in 2004, 0 of 2 in 2005 and 2 more years"
    )
    store.delete_bars("A", *EVER)
    (finding,) = store.verify(against=taken).findings
    assert finding.detail == "all 18 are gone, from 2001-01-02 to 2009-01-03"


def test_an_event_that_was_ingested_later_does_not_hide_one_that_is_gone(event):
    store = MemoryDataStore()
    store.write_events([event(JAN_5, payload={"n": n}) for n in range(3)])
    taken = store.checkpoint()
    store._events.held.pop()
    store.write_event(event(JAN_5, ingested_at=JAN_5 + timedelta(hours=1)))
    (finding,) = store.verify(against=taken).findings
    assert (finding.kind, finding.detail) == ("missing", "2 of 3 are left")


def test_a_day_of_which_all_that_is_there_was_ingested_later_is_missing(event):
    store = MemoryDataStore()
    store.write_event(event(JAN_5))
    taken = store.checkpoint()
    store._events.held.pop()
    store.write_event(event(JAN_5, ingested_at=JAN_5 + timedelta(hours=1)))
    assert findings(store, taken) == {("missing", "events of 2026-01-05")}


def test_a_fundamental_outside_the_times_of_then_does_not_hide_one_that_is_gone(fundamental):
    store = MemoryDataStore()
    for day in range(3):
        store.write_fundamental("AAPL", fundamental(JAN_5 + timedelta(day)))
    taken = store.checkpoint()
    store._fundamentals.by_symbol["AAPL"].popitem()
    for day in (-2, -1, 5, 6):
        store.write_fundamental("AAPL", fundamental(JAN_5 + timedelta(day)))
    (finding,) = store.verify(against=taken).findings
    assert finding.detail == "fewer than at the checkpoint: 2 of 3 in 2026"


def test_a_copy_is_held_to_the_checkpoint_of_what_it_was_copied_from(filled, tmp_path):
    from storecore import copy_store, open_store

    taken = filled.checkpoint()
    with open_store("file", base_path=tmp_path / "data", durability="os") as files:
        assert not files.verify(against=taken).ok
        assert copy_store(filled, files).ok
        assert files.verify(against=taken).ok
        assert filled.verify(against=files.checkpoint()).ok


def test_l1_a_closed_store_takes_no_checkpoint_and_is_held_to_none(filled):
    taken = filled.checkpoint()
    filled.close()
    for use in (filled.checkpoint, filled.compact, lambda: filled.verify(against=taken)):
        with pytest.raises(StoreClosed):
            use()


def test_fundamentals_that_are_all_of_another_time_are_missing(fundamental):
    store = MemoryDataStore()
    store.write_fundamental("AAPL", fundamental(JAN_5))
    taken = store.checkpoint()
    store._fundamentals.by_symbol.clear()
    store.write_fundamental("AAPL", fundamental(JAN_5 + timedelta(1)))
    assert findings(store, taken) == {("missing", "fundamentals of AAPL")}


def test_a_series_that_is_deleted_while_a_checkpoint_is_taken_is_left_out(bar):
    class Deleting(MemoryDataStore):
        def timeframes(self, symbol):
            found = super().timeframes(symbol)
            self.delete_bars("A", *EVER)
            return found

    store = Deleting()
    for symbol in ("A", "B"):
        store.write_bars(symbol, [bar(symbol=symbol)])
    assert [each.symbol for each in store.checkpoint().bars] == ["B"]


@pytest.mark.parametrize(
    ("then", "now", "kind"),
    [
        (7, 7, "changed"),
        (7, 6, "rolled back"),
        (7, 8, "replaced"),
        (0, 7, "replaced"),
        (7, 0, "replaced"),
    ],
)
def test_bars_that_changed_without_a_write_since_are_a_finding(bar, then, now, kind):
    store = MemoryDataStore()
    store.write_bars("AAPL", [bar()])
    document = take_checkpoint(store, written=lambda symbol, timeframe: then)
    store.write_bars("AAPL", [bar(close=100.5)])
    report = verify_against(store, document, store.verify, written=lambda symbol, timeframe: now)
    (found,) = (*report.findings, *report.notes)
    assert (found.kind, found.place) == (kind, "bars of AAPL (1d)")
    assert report.ok is (kind == "replaced")


@pytest.mark.parametrize("now", [0, 6, 7, 8])
def test_bars_that_are_as_they_were_need_no_number(bar, now):
    store = MemoryDataStore()
    store.write_bars("AAPL", [bar()])
    document = take_checkpoint(store, written=lambda symbol, timeframe: 7)
    report = verify_against(store, document, store.verify, written=lambda symbol, timeframe: now)
    assert report.findings == report.notes == ()
