"""Law D1 where a process was killed, another went on, and then the power failed.

What the killed one had done is seen by the other and may not be durable: a folder or a log whose
name was never synced, a journal that is folded into files that may vanish. What the other one
acknowledges must not rest on it.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from storecore import Action, Decision, Event, FundamentalData, PriceBar
from storecore_file import FileDataStore
from storecore_file.bars import collection

DAY = datetime(2026, 1, 1, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SYMBOLS = ["AAPL", "MSFT"]


def write_event(store, n):
    store.write_event(Event("tick", "AAPL", DAY, DAY, "test", {"n": n}))


def write_events_of_days(store, n):
    days = [DAY, DAY + timedelta(1)]
    store.write_events([Event("tick", "AAPL", day, day, "test", {"n": n}) for day in days])


def write_and_seal(store, n):
    write_event(store, n)
    store.compact()


def write_fundamental(store, n):
    rest = {"company_name": "x", "cik": "1", "employees": n, "raw_xml": ""}
    data = FundamentalData(symbol="AAPL", timestamp=DAY + timedelta(n), **rest)
    store.write_fundamental("AAPL", data)


def read_fundamentals(store):
    found = [store.read_fundamental("AAPL", DAY + timedelta(n)) for n in range(3)]
    return {each.employees for each in found if each}


def read_state(store):
    history = store.state_history("value")
    return {0, history[0].state["n"]} if history else set()


def bar(symbol, n):
    return PriceBar(symbol, DAY + timedelta(n), 1.0, 2.0, 0.5, 1.5, n)


def write_table(store, n):
    rows = [bar(symbol, n) for symbol in SYMBOLS]
    names = PriceBar.__struct_fields__
    store.write_bar_table(pa.table({name: [getattr(row, name) for row in rows] for name in names}))


def write_table_and_fold(store, n):
    write_table(store, n)
    store.compact()


def write_table_then_bars(store, n):
    if n == 0:
        return write_table(store, 0)
    if n == 1:
        return store.write_bars("AAPL", [bar("AAPL", 1)])  # takes in the journal
    return store.compact()


def read_bars(store):
    return {each.volume for each in store.read_bars("AAPL", *ALWAYS)}


def read_bars_taken_in(store):
    there = read_bars(store)
    return there | {2} if 0 in there else there


def read_events(store):
    return {each.payload["n"] for each in store.read_events(*ALWAYS)}


def log_decision(store, n):
    store.log_decision(str(n), Decision("AAPL", Action.HOLD, 0, 0, "test"))


def write_then_delete(store, n):
    if n == 0:
        write_table(store, 0)
    elif n == 1:
        store.compact()  # retires the journal
    else:
        store.delete_bars("AAPL", DAY, DAY)


def read_deletions(store):
    there = {each.volume for each in store.read_bars("AAPL", *ALWAYS)}
    return {0, 1} if 0 in there else {0, 1, 2}


KINDS = {  # how the nth is written, and which are there
    "events": (write_event, read_events),
    "events of days": (write_events_of_days, read_events),
    "sealed events": (write_and_seal, read_events),
    "decisions": (log_decision, lambda s: {int(r.strategy) for r in s.read_decisions(*ALWAYS)}),
    "fundamentals": (write_fundamental, read_fundamentals),
    "states": (lambda store, n: store.save_strategy_state("value", {"n": n}), read_state),
    "bars": (lambda store, n: store.write_bars("AAPL", [bar("AAPL", n)]), read_bars),
    "tables": (write_table, read_bars),
    "folded tables": (write_table_and_fold, read_bars),
    "tables and bars": (write_table_then_bars, read_bars_taken_in),
    "tables and deletions": (write_then_delete, read_deletions),
}


@pytest.fixture
def outcomes(tmp_path, record, after_crashes, killed, small, monkeypatch):
    """Yield what is missing after each crash that came once another had gone on."""
    monkeypatch.setattr(collection, "WRITERS", 1)

    def one_more(store, write, number):
        write(store, number)
        raise killed("never")

    def each(kind, first, every):
        write, read = KINDS[kind]
        for kill in range(1, 100):
            base = tmp_path / f"killed after {kill}"
            store = FileDataStore(base)  # never closed: that would fold the journal
            for number in range(first):
                write(store, number)
            with record(base) as recorder:
                recorder.killed_after = kill
                with pytest.raises(killed) as died:
                    one_more(FileDataStore(base), write, first)
                recorder.killed_after = None
                write(FileDataStore(base), first + 1)
                end = len(recorder.steps)
                recorder.mark("acknowledged")
            for steps, folder in after_crashes(recorder, since=end + 1, every=every):
                with FileDataStore(folder, durability="os") as store:
                    there = read(store)
                    yield {*range(first), first + 1} - there, steps
                shutil.rmtree(folder)
            if died.value.args:
                return

    return each


@pytest.mark.few(8)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_d1_what_a_killed_writer_left_is_made_durable_before_it_is_built_on(
    outcomes, kind, first, every
):
    missing = [lost for lost, _ in outcomes(kind, first, every)]
    print(f"{len(missing)} states")
    assert missing
    assert [lost for lost in missing if lost] == []
