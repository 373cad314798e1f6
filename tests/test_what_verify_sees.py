"""The table of the guide: what was taken away or replaced behind a store's back, and who sees it.

Each row is done to a store of files and to one in a database, and each cell is held to what
`verify()` and `verify(against=…)` then say.
"""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

import storecore
from storecore import Action, Decision, PriceBar
from storecore.audit.records import GENESIS, chain, decision_body
from storecore.audit.transfer import moved_lines

PAGE = (Path(__file__).parent.parent / "storecore/store/GUIDE.md").read_text()
TABLE = PAGE.partition("### What `verify` cannot see")[2].partition("\n\n## ")[0]
ROWS = {
    cells[0]: cells[1:]
    for line in re.findall(r"^\| (.+) \|$", TABLE, re.M)[1:]
    for cells in [[cell.strip() for cell in line.split("|")]]
}
JAN_5 = datetime(2026, 1, 5)
FEB_9 = datetime(2026, 2, 9)
NAMES = PriceBar.__struct_fields__
SYMBOLS = [f"J{number}" for number in range(8)]


@pytest.fixture
def filled(bar, event, fundamental, decision, sent):
    """Fill a store with some of each kind, some of it compacted; `n` tells two fillings apart."""

    def fill(store, n=1):
        for number, day in enumerate((JAN_5, JAN_5 + timedelta(1))):
            store.write_bars("AAPL", [bar(date=day, close=100.0 + n)])
            store.write_bars("GONE", [bar(symbol="GONE", date=day)])
            store.write_fundamental("AAPL", fundamental(day, employees=n))
            store.write_fundamental("GONE", fundamental(day, symbol="GONE"))
            store.write_events([event(day, payload={"n": n, "row": row}) for row in range(3)])
            store.save_strategy_state("value", {"day": number, "n": n})
            store.log_decision("value", decision(reasoning=f"{n}"))
            store.log_order("value", *sent())
            if not number:
                store.compact()
        store.write_bars("AAPL", [bar(date=FEB_9, close=100.0 + n)])
        store.write_bar_table(pa.table({"symbol": SYMBOLS} | columns(FEB_9)))

    return fill


def columns(day):
    """Return a bar for each of many symbols, but for their names: a batch for the journal."""
    return {name: [day if name == "date" else 1.0] * len(SYMBOLS) for name in NAMES[1:7]}


class Files:
    """What someone does to a copy of the folder of a store; `other` is one with other data."""

    column = 0

    def __init__(self, folder, filled):
        self.live, self.folder, self.other = folder / "live", folder / "data", folder / "other"
        self.filled = filled
        with self.opened(self.other) as other:
            filled(other, n=2)

    @staticmethod
    def opened(folder):
        return storecore.open_store("file", base_path=folder, durability="os")

    @contextmanager
    def store(self):
        with self.opened(self.live) as store:
            yield store
            shutil.copytree(self.live, self.folder)  # before its journal is folded

    def open(self):
        return self.opened(self.folder)

    def remove(self, pattern):
        found = list(self.folder.glob(pattern))
        assert found, pattern
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def put(self, pattern):
        for path in list(self.folder.glob(pattern)):
            shutil.copy(self.other / path.relative_to(self.folder), path)

    def some_bars(self):
        self.remove("prices/AAPL/2026-01*.parquet")

    def series(self):
        self.remove("prices/GONE")

    def older_bars(self):
        self.put("prices/AAPL/*.parquet")

    def other_bars(self):
        shutil.rmtree(self.other)
        with self.opened(self.other) as other:
            self.filled(other, n=2)
        self.put("prices/AAPL/*.parquet")

    def journal(self):
        self.remove("prices/.journal")

    def fundamental(self):
        self.remove("fundamentals/AAPL/2026-01-05*")

    def fundamentals(self):
        self.remove("fundamentals/GONE")

    def other_fundamental(self):
        self.put("fundamentals/AAPL/2026-01-05*")

    def end_of_day(self):
        log = self.folder / "events" / "2026-01-06.jsonl"
        log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))

    def day(self):
        self.remove("events/2026-01-06.jsonl")

    def sealed_day(self):
        self.remove("events/2026-01-05.parquet")

    def day_and_ends(self):
        self.remove("events/2026-01-06.jsonl")
        self.remove("events/.ends")

    def other_event(self):
        self.put("events/2026-01-05.parquet")

    def state(self):
        self.remove("state/value.json")

    def state_rolled_back(self):
        folder = self.folder / "state"
        shutil.copy(folder / ".value.json.1", folder / "value.json")

    def other_state(self):
        self.put("state/value.json")

    def older_versions(self):
        self.remove("state/.value.json.1")

    def end_of_log(self):
        log = sorted((self.folder / "audit" / "decisions").glob("*.jsonl"))[-1]
        log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))

    def log(self):
        self.remove("audit/decisions")

    def other_log(self):
        self.remove("audit/decisions")
        shutil.copytree(self.other / "audit" / "decisions", self.folder / "audit" / "decisions")


class Database:
    """What someone who may do everything does to the schema of a store."""

    column = 1

    def __init__(self, place, admin):
        self.place, self.admin = place, admin

    @contextmanager
    def store(self):
        with self.open() as store:
            yield store
        self.admin.execute("SET session_replication_role = replica")  # no trigger is asked
        self.admin.execute(f"SET search_path = {self.place['schema']}")

    def open(self):
        return storecore.open_store("postgres", **self.place)

    def do(self, statement):
        assert self.admin.execute(statement).rowcount, statement

    def some_bars(self):
        self.do("DELETE FROM bars WHERE symbol = 'AAPL' AND date < '2026-02-01'")

    def series(self):
        self.do("DELETE FROM bars WHERE symbol = 'GONE'")

    def older_bars(self):
        self.other_bars()

    def other_bars(self):
        self.do("UPDATE bars SET close = 100.5 WHERE symbol = 'AAPL'")

    def fundamental(self):
        self.do("DELETE FROM fundamentals WHERE symbol = 'AAPL' AND timestamp < '2026-01-06'")

    def fundamentals(self):
        self.do("DELETE FROM fundamentals WHERE symbol = 'GONE'")

    def other_fundamental(self):
        self.do(
            "UPDATE fundamentals SET document = "
            """replace(document::text, 'Apple', 'Pear')::json WHERE symbol = 'AAPL'"""
        )

    def end_of_day(self):
        self.do("DELETE FROM events WHERE id = (SELECT max(id) FROM events)")

    def day(self):
        self.do("DELETE FROM events WHERE timestamp > '2026-01-05 23:00'")

    day_and_ends = day

    def sealed_day(self):
        self.do("DELETE FROM events WHERE timestamp < '2026-01-05 23:00'")

    def other_event(self):
        self.do("UPDATE events SET document = replace(document::text, 'feed', 'weed')::json")

    def state(self):
        self.do("DELETE FROM states WHERE strategy = 'value'")

    def state_rolled_back(self):
        self.do("DELETE FROM states WHERE version = 2")

    def other_state(self):
        self.do("UPDATE states SET document = '{}' WHERE version = 2")

    def older_versions(self):
        self.do("DELETE FROM states WHERE version = 1")

    def end_of_log(self):
        self.do("DELETE FROM decisions WHERE seq = 2")

    def log(self):
        self.do("DELETE FROM decisions")
        self.do("UPDATE audit_heads SET seq = 0, hash = '' WHERE log = 'decisions'")

    def other_log(self):
        ((day,),) = self.admin.execute("SELECT max(day) FROM decisions").fetchall()
        self.log()
        bodies = [decision_body("value", Decision("X", Action.BUY, 1, 1, "forged"))] * 3
        lines, _ = chain(bodies, datetime.now().astimezone(), GENESIS)
        with self.open() as store:
            store.append_audit("decisions", day, moved_lines("decisions", day, lines))

    def journal(self):
        pytest.skip("a database has no journal")


@pytest.fixture(params=["file", "postgres"])
def hand(request, tmp_path, filled):
    """Someone who can reach what a store keeps."""
    if request.param == "file":
        yield Files(tmp_path, filled)
        return
    place = request.getfixturevalue("place_in_postgres")
    with psycopg.connect(request.getfixturevalue("postgres_dsn"), autocommit=True) as admin:
        yield Database(place, admin)


DEEDS = [  # the row of the table, what is done, what a finding calls it
    ("some bars of a series: a partition, or rows", "some_bars", "bars of AAPL (1d)"),
    ("all bars of a series or symbol", "series", "bars of GONE (1d)"),
    ("the journal of bars with its `.ends`", "journal", "bars of J0 (1d)"),
    ("a fundamental, or all of a symbol", "fundamental", "fundamentals of AAPL"),
    ("a fundamental, or all of a symbol", "fundamentals", "fundamentals of GONE"),
    ("the last events of a day, or the day", "end_of_day", "events of 2026-01-06"),
    ("the last events of a day, or the day", "day", "events of 2026-01-06"),
    ("the last events of a day, or the day", "sealed_day", "events of 2026-01-05"),
    ("a day of events with its line in `.ends`", "day_and_ends", "events of 2026-01-06"),
    ("a state", "state", "state of value"),
    ("versions of a state before the last", "older_versions", ""),
    ("the last records of an audit log", "end_of_log", "log of decisions"),
    ("a whole audit log with its head", "log", "log of decisions"),
    ("bars, replaced by an older state of them", "older_bars", "bars of AAPL (1d)"),
    ("bars, replaced by as many others", "other_bars", "bars of AAPL (1d)"),
    ("a fundamental, replaced by another", "other_fundamental", "fundamentals of AAPL"),
    ("events, replaced by as many others", "other_event", "events of 2026-01-05"),
    ("a state, replaced by an older version of it", "state_rolled_back", "state of value"),
    ("a state, replaced by another of its version", "other_state", "state of value"),
    ("an audit log, replaced by a whole other chain", "other_log", "log of decisions"),
]


def test_the_table_has_a_row_for_each_deed():
    assert [*ROWS] == [*dict.fromkeys(row for row, _, _ in DEEDS)]


def kinds(cell):
    """Return the kinds of finding, and of note, that a cell names."""
    named = set(re.findall(r"`(.+?)`", cell))
    assert named or cell == "nothing", cell
    return (set(), named) if "note" in cell else (named, set())


def told(report, but_for=None):
    """Return the kinds of a report's findings and notes, and the places of those that are new."""
    skipped = (len(but_for.findings), len(but_for.notes)) if but_for else (0, 0)
    found, notes = report.findings[skipped[0] :], report.notes[skipped[1] :]
    both = {each.kind for each in found}, {each.kind for each in notes}
    return both, {each.place for each in (*found, *notes)}


@pytest.mark.parametrize(("row", "deed", "place"), DEEDS, ids=[deed for _, deed, _ in DEEDS])
def test_each_row_of_the_table_is_so(row, deed, place, hand, filled):
    with hand.store() as store:
        filled(store)
        taken = store.checkpoint()
        whole = store.verify(against=taken)
    getattr(hand, deed)()
    with hand.open() as store:
        alone, held = store.verify(), store.verify(against=taken)
    assert whole.ok
    assert told(alone)[0][0] == kinds(ROWS[row][hand.column])[0]
    seen, places = told(held, but_for=alone)
    cells = ROWS[row][2].split("; database: ")  # one for each backend, where they differ
    assert seen == kinds(cells[hand.column % len(cells)])
    assert not place or place in places
