"""Questions, deletions, renamings and replaced series: one statement or one transaction each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pyarrow as pa
import pytest
from msgspec.structs import replace

from storecore import ConfigError, InvalidData, PriceBar, StateConflict, StorageError, open_store
from storecore.builtin.memory import MemoryDataStore
from storecore.errors import CorruptData
from storecore.reports import StateVersion
from storecore.values.times import EVER
from storecore_postgres import bar_pages, bar_rows, bars
from storecore_postgres.database import Pool

NOON = datetime(2026, 1, 5, 12)
ALL = "0001-01-01", "9999-12-31"
LONG = "x" * 250


def minutes(symbol, count, close=1.0):
    times = (NOON + timedelta(minutes=number) for number in range(count))
    return [PriceBar(symbol, at, 1, 2, 0.5, close, 5) for at in times]


def lost_after_commit(connection, send):
    """The commit is carried out, and nobody hears of it."""
    send()
    connection.close()
    raise psycopg.OperationalError("server closed the connection unexpectedly")


@pytest.fixture
def memory():
    return MemoryDataStore()


@pytest.mark.parametrize("page", [1_000_000, 7, 2])
def test_the_newest_bars_are_all_that_the_server_sends(store, monkeypatch, page):
    monkeypatch.setattr(bar_pages, "_PAGE_ROWS", page)
    for symbol, count in (("A", 9), ("B", 1), ("C", 5)):
        store.write_bars(symbol, minutes(symbol, count))
    expected = {"A": 2, "B": 1, "C": 2}
    found = store._bars.read_many(list("ABCD"), "1d", EVER._replace(newest=2), bar_pages.NUMBERS)
    assert {symbol: len(table) for symbol, table in found} == expected
    assert len(store._bars.read("A", "1d", EVER._replace(newest=2))) == 2
    assert store.read_bars("A", NOON, NOON + timedelta(minutes=5), last=2) == minutes("A", 6)[-2:]


def test_more_than_a_page_of_the_newest_bars_is_read_in_pages(store, monkeypatch):
    monkeypatch.setattr(bar_pages, "_PAGE_ROWS", 3)
    store.write_bars("A", minutes("A", 9))
    assert store.read_bars("A", last=4) == minutes("A", 9)[-4:]


@pytest.fixture
def statements(monkeypatch):
    """The statements that are executed from now on."""
    real, found = psycopg.Connection.execute, []

    def execute(self, query, *args, **options):
        found.append(query.strip())
        return real(self, query, *args, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", execute)
    return found


def starts(statements):
    """Return the first words of statements."""
    return [each.split()[0] for each in statements]


def test_each_page_of_a_long_answer_is_read_once(store, monkeypatch, statements):
    monkeypatch.setattr(bar_pages, "_PAGE_ROWS", 7)
    store.write_bars("A", minutes("A", 30))
    store.write_bars("B", minutes("B", 3))
    statements.clear()
    assert store.read_bars("A") == minutes("A", 30)
    assert starts(statements) == ["BEGIN", *["SELECT"] * 5, "COMMIT"]
    statements.clear()
    assert len(store.read_bar_table(["A", "B"])) == 33
    assert starts(statements) == ["BEGIN", *["SELECT"] * 6, "COMMIT"]


def test_an_answer_that_is_longer_than_its_timeframe_lets_expect_is_complete(store, monkeypatch):
    monkeypatch.setattr(bar_pages, "_PAGE_ROWS", 3)
    for timeframe in ("1d", "session"):
        store.write_bars("A", minutes("A", 9), timeframe=timeframe)
        bounds = NOON, NOON + timedelta(seconds=480)
        assert store.read_bars("A", *bounds, timeframe=timeframe) == minutes("A", 9)


def test_a_series_that_was_short_is_read_without_a_transaction(store, monkeypatch, statements):
    monkeypatch.setattr(bar_pages, "_PAGE_ROWS", 8)
    store.write_bars("A", minutes("A", 3))
    statements.clear()
    for _ in range(3):
        assert store.read_bars("A") == minutes("A", 3)
    assert starts(statements) == ["BEGIN", "SELECT", "COMMIT", "SELECT", "SELECT"]
    store.write_bars("A", minutes("A", 30))
    for _ in range(2):  # it was expected to be short
        statements.clear()
        assert store.read_bars("A") == minutes("A", 30)
    assert starts(statements) == ["BEGIN", *["SELECT"] * 4, "COMMIT"]


def test_a_column_that_another_process_adds_costs_no_connection(opened, monkeypatch):
    monkeypatch.setattr(bar_pages, "_PAGE_ROWS", 2)
    given = [replace(each, extra={"vwap": 1.5}) for each in minutes("A", 5)]
    with opened(pool=Pool(min_size=1, max_size=1)) as reader, opened() as writer:
        writer.write_bars("A", given)
        number = reader._database.rows("asking", "SELECT pg_backend_pid()", [])
        assert reader.read_bars("A") == given
        assert reader._database.rows("asking", "SELECT pg_backend_pid()", []) == number


def test_a_stream_of_one_symbol_reads_each_bar_once_and_counts_none(store, statements):
    store.write_bars("A", minutes("A", 10))
    statements.clear()
    tables = list(store.iter_bar_tables("A", max_bytes=4 * bars.ROW_BYTES))
    assert [len(each) for each in tables] == [4, 4, 2]
    assert sum(".bars" in each for each in statements) == 3


def test_an_inventory_is_one_statement(store, memory, statements):
    for each in (store, memory):
        for symbol, timeframe in (("B", "1d"), ("A", "1m"), ("A", "1d"), ("Ü", "1d")):
            each.write_bars(symbol, minutes(symbol, 3), timeframe=timeframe)
    statements.clear()
    assert store.inventory() == memory.inventory()
    assert len(statements) == 1


MINUTES = {"timeframe": "1m"}


@pytest.fixture
def table_of():
    """Return bars as a table, under any symbol."""
    memory = MemoryDataStore()

    def made(symbol, given):
        memory.delete_bars(symbol, *ALL, **MINUTES)
        memory.write_bars(symbol, given, **MINUTES)
        return memory.read_bar_table(symbol, **MINUTES)

    return made


def test_a_reader_sees_a_series_that_is_replaced_old_or_new_in_pages_too(
    store, opened, monkeypatch, table_of
):
    monkeypatch.setattr(bar_pages, "_PAGE_ROWS", 7)
    monkeypatch.setattr(bar_rows, "_COPY_FROM", 20)
    versions = [minutes("A", count, close) for count, close in ((30, 1.0), (12, 2.0), (25, 3.0))]
    tables = [table_of("A", version) for version in versions]
    store.write_bar_table(tables[0], replace=True, **MINUTES)

    def replace(number):
        store.write_bar_table(tables[number % 3], replace=True, **MINUTES)

    with opened() as reader, ThreadPoolExecutor(1) as threads:
        writing = threads.submit(lambda: list(map(replace, range(40))))
        while not writing.done():
            assert reader.read_bars("A", **MINUTES) in versions
        writing.result()


def test_several_series_are_replaced_all_or_none(store, admin, schema, table_of):
    for symbol in "AB":
        store.write_bars(symbol, minutes(symbol, 3), **MINUTES)
    before = store.read_bar_table(["A", "B"], **MINUTES)
    admin.execute(f"ALTER TABLE {schema}.bars ADD CONSTRAINT low CHECK (close < 5 OR symbol = 'A')")
    parts = [table_of(symbol, minutes(symbol, 2, 9.0)) for symbol in "AB"]
    new = pa.concat_tables(parts)
    with pytest.raises(StorageError, match="violates check constraint"):
        store.write_bar_table(new, replace=True, **MINUTES)
    assert store.read_bar_table(["A", "B"], **MINUTES) == before
    admin.execute(f"ALTER TABLE {schema}.bars DROP CONSTRAINT low")
    store.write_bar_table(new, replace=True, **MINUTES)
    assert store.read_bar_table(["A", "B"], **MINUTES) == new


def test_a_renaming_is_in_one_step_and_done_once(store, at_commit, event, fundamental):
    store.write_bars("A", minutes("A", 2))
    store.write_bars("A", minutes("A", 3), timeframe="1m")
    store.write_events([event(symbol="A"), event(symbol=None), event(symbol="A")])
    store.write_fundamental("A", fundamental(symbol="A", extra={"eps": 1.5}))
    at_commit(lost_after_commit)
    store.rename_symbol("A", "B")
    assert store.read_bars("B", timeframe="1m") == minutes("B", 3)
    assert store.symbols() == store.event_symbols() == store.fundamental_symbols() == ["B"]
    assert store.read_events() == [event(symbol="B"), event(symbol=None), event(symbol="B")]
    assert store.fundamentals("B") == [fundamental(symbol="B", extra={"eps": 1.5})]
    assert store.verify().ok


def test_a_renaming_that_is_refused_changes_nothing_and_keeps_the_connection(store, event):
    store.write_bars("A", minutes("A", 2))
    store.write_event(event(symbol="B"))
    with pytest.raises(InvalidData, match="'B' has data already"):
        store.rename_symbol("A", "B")
    with pytest.raises(InvalidData, match="'C' has no bars"):
        store.rename_symbol("C", "D")
    assert store.read_bars("A") == minutes("A", 2)


def test_a_renaming_searches_all_events_once(store, statements, event):
    store.write_events([event(symbol="A"), event(symbol="B"), event(symbol="A")])
    statements.clear()
    store.rename_symbol("A", "C")
    of_events = [each for each in statements if ".events" in each]
    assert len([each for each in of_events if "symbol = ANY" in each]) == 1
    changed = [each for each in of_events if "DELETE" in each or "UPDATE" in each]
    assert all("timestamp" in each.partition("WHERE")[2] for each in changed)
    assert [each.symbol for each in store.read_events()] == ["C", "B", "C"]


def test_two_symbols_that_are_renamed_alike_at_once_are_not_merged(opened):
    stores = [opened() for _ in range(4)]
    for number in range(4):
        stores[0].write_bars(f"S{number}", minutes(f"S{number}", number + 1))

    def rename(number):
        try:
            stores[number].rename_symbol(f"S{number}", "T")
        except InvalidData:
            return 0
        return number + 1

    with ThreadPoolExecutor(4) as threads:
        renamed = list(threads.map(rename, range(4)))
    assert len(stores[0].read_bars("T")) == sum(renamed)
    assert renamed.count(0) == 3
    for store in stores:
        store.close()


@pytest.fixture
def events(event):
    """Events of several types and symbols, some with a NUL, which SQL has no text for."""
    types = ["news", "halt", LONG, LONG[:200], "a\0b", "a␀b"]
    return [
        event(
            type=types[number % 6],
            symbol=[None, "A", "B"][number % 3],
            timestamp=NOON + timedelta(number),
            ingested_at=NOON + timedelta(number, microseconds=number % 2),
            payload={"number": number, "nul": "\0", "ingested_at": '"ingested_at":"x"'},
        )
        for number in range(24)
    ]


@pytest.mark.parametrize(
    "asked",
    [
        {"symbols": ["A"]},
        {"symbols": [None]},
        {"symbols": []},
        {"symbols": ["A", None], "types": [LONG]},
        {"ingested_by": NOON + timedelta(7)},
        {"ingested_by": NOON + timedelta(7, microseconds=1)},
        {"ingested_by": "2026-01-09T12:00:00+02:00", "symbols": ["B"]},
    ],
    ids=repr,
)
def test_events_are_found_by_symbols_and_by_when_they_came_in(store, memory, events, asked):
    for each in (store, memory):
        each.write_events(events)
    assert store.read_events(**asked) == memory.read_events(**asked)
    assert store.event_symbols() == ["A", "B"]


@pytest.mark.parametrize("types", [None, [], ["news"], [LONG[:200]], ["a␀b"], ["a\0b", "halt"]])
@pytest.mark.parametrize("symbols", [None, ["A", None]])
def test_just_the_events_that_are_asked_for_are_deleted_once(
    store, memory, events, at_commit, types, symbols
):
    for each in (store, memory):
        each.write_events(events)
    asked = NOON + timedelta(2), NOON + timedelta(20), types, symbols
    at_commit(lost_after_commit)
    assert store.delete_events(*asked) == memory.delete_events(*asked)
    assert store.read_events() == memory.read_events()


def test_fundamentals_are_listed_and_deleted_once(store, at_commit, fundamental):
    zone = ZoneInfo("America/New_York")
    filed = [
        fundamental(timestamp=datetime(2026, month, 5, 22, tzinfo=zone), extra={"eps": month})
        for month in (1, 2, 3)
    ]
    store.write_fundamentals(reversed(filed))
    assert store.fundamentals("AAPL") == filed
    assert store.fundamentals("AAPL")[0].timestamp.tzinfo is zone
    assert store.fundamentals("AAPL", "2026-02-06", "2026-03-05") == filed[1:2]
    at_commit(lost_after_commit)
    assert store.delete_fundamentals("AAPL", "2026-02-01", "2026-12-31") == 2
    assert store.fundamentals("AAPL") == filed[:1]
    assert store.fundamentals("MSFT") == []


def test_a_state_is_deleted_with_its_history_once(store, at_commit):
    for number in range(3):
        store.save_strategy_state("value", {"number": number})
    with pytest.raises(StateConflict, match="version 3, not 2"):
        store.delete_strategy_state("value", expect=2)
    at_commit(lost_after_commit)
    assert store.delete_strategy_state("value", expect=3) is True
    assert store.state_history("value") == []
    assert store.load_versioned_state("value") == StateVersion(0, None)
    at_commit(lost_after_commit)
    assert store.delete_strategy_state("value") is False
    store.save_strategy_state("value", {"number": 9}, expect=0)
    assert store.load_versioned_state("value") == StateVersion(4, {"number": 9})
    assert store.state_history("value") == [StateVersion(4, {"number": 9})]


def test_a_state_that_was_saved_anew_meanwhile_is_not_deleted(store, opened, at_commit):
    store.save_strategy_state("value", {"number": 1})

    def commit(connection, send):
        send()
        with opened() as other:
            other.save_strategy_state("value", {"number": 2})
        connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    at_commit(commit)
    assert store.delete_strategy_state("value")
    assert store.load_versioned_state("value") == StateVersion(2, {"number": 2})


def test_what_is_left_of_a_deleted_state_is_a_row_with_its_version(store, opened, admin, schema):
    for number in range(3):
        store.save_strategy_state("value", {"number": number})
    store.delete_strategy_state("value")
    columns = f"SELECT version, document FROM {schema}.states ORDER BY version"
    assert admin.execute(columns).fetchall() == [(0, {"deleted": 3})]
    assert (store.strategies(), store.state_history("value")) == ([], [])
    assert (store.load_strategy_state("value"), store.verify().ok) == (None, True)
    with opened(state_versions=2) as other:
        other.save_strategy_state("value", {"number": 9}, expect=0)
        assert [version for version, _ in admin.execute(columns)] == [4]
        other.delete_strategy_state("value")
        other.restore_state("value", [StateVersion(2, {})], expect=0)
        assert [version for version, _ in admin.execute(columns)] == [2]


@pytest.mark.parametrize("document", ["{}", "7"])
def test_d5_a_damaged_version_of_a_deleted_state_is_not_taken_for_none(
    store, admin, schema, document
):
    store.save_strategy_state("value", {})
    store.delete_strategy_state("value")
    admin.execute(f"UPDATE {schema}.states SET document = %s", [document])
    with pytest.raises(CorruptData, match="strategy 'value', version 0"):
        store.save_strategy_state("value", {})


def test_as_many_versions_of_a_state_are_kept_as_the_store_is_reported(place):
    with open_store("postgres", **place, state_versions=2) as store:
        for number in range(4):
            store.save_strategy_state("value", {"number": number})
        assert [each.version for each in store.state_history("value")] == [4, 3]
    with pytest.raises(ConfigError, match="state_versions=0: expected the number of versions"):
        open_store("postgres", **place, state_versions=0)


def test_a_save_that_another_store_outlived_with_fewer_versions_is_not_done_again(
    store, opened, at_commit
):
    def commit(connection, send):
        send()
        with opened(state_versions=1) as other:
            other.save_strategy_state("value", {"number": 2})
        connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    at_commit(commit)
    store.save_strategy_state("value", {"number": 1})
    assert store.load_versioned_state("value") == StateVersion(2, {"number": 2})
