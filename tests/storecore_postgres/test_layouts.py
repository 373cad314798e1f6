"""Layouts of Citus and TimescaleDB: the SQL that is sent.

The SQL is run with stand-ins for the functions of the extensions. If the server of
`STORECORE_TEST_DSN` has an extension, all tests of this package run with its layout.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

import storecore_postgres
from storecore import (
    Catalog,
    ConfigError,
    Event,
    History,
    StorageError,
    capabilities_of,
    open_store,
)
from storecore_postgres import PostgresDataStore
from storecore_postgres.schema import installation
from storecore_postgres.schema.layouts import choose_layout, layout_statements
from storecore_postgres.schema.tables import (
    ADDED_TABLES,
    FIRST_TABLES,
    HISTORY_TABLES,
    TABLES,
)

STAND_INS = """
CREATE TABLE asked (number serial, what text, relation regclass, by text);
CREATE FUNCTION create_distributed_table(relation regclass, by text) RETURNS void
    LANGUAGE sql AS $$ INSERT INTO asked (what, relation, by) VALUES ('spread', relation, by) $$;
CREATE FUNCTION create_reference_table(relation regclass) RETURNS void
    LANGUAGE sql AS $$ INSERT INTO asked (what, relation) VALUES ('copied', relation) $$;
CREATE FUNCTION by_range(by name, width interval) RETURNS text
    LANGUAGE sql AS $$ SELECT by || ' ' || width $$;
CREATE FUNCTION create_hypertable(relation regclass, by text) RETURNS void
    LANGUAGE sql AS $$ INSERT INTO asked (what, relation, by) VALUES ('cut', relation, by) $$;
"""
KEYS = """
SELECT table_name, string_agg(column_name, ', ' ORDER BY ordinal_position)
FROM information_schema.key_column_usage WHERE table_schema = 'desk' GROUP BY table_name
"""
PLAIN_KEYS = {
    "about": "key",
    "audit_heads": "log",
    "bar_columns": "name, kind",
    "bar_history": "symbol, timeframe, date, replaced",
    "bars": "symbol, timeframe, date",
    "decisions": "seq",
    "event_history": "timestamp, id, replaced",
    "events": "timestamp, id",
    "fundamental_history": "symbol, timestamp, replaced",
    "fundamentals": "symbol, timestamp",
    "orders": "seq",
    "series_columns": "symbol, timeframe",
    "snapshots": "name",
    "states": "strategy, version",
}


@pytest.mark.parametrize(
    ("asked", "installed", "layout"),
    [
        ("auto", set(), "none"),
        ("auto", {"plpgsql"}, "none"),
        ("auto", {"plpgsql", "citus"}, "citus"),
        ("auto", {"timescaledb"}, "timescale"),
        ("auto", {"timescaledb", "citus"}, "citus"),
        ("none", {"citus"}, "none"),
        ("timescale", {"timescaledb", "citus"}, "timescale"),
    ],
)
def test_the_layout_is_as_asked_or_as_the_database_can(asked, installed, layout):
    assert choose_layout(asked, installed) == layout


@pytest.mark.parametrize(("asked", "extension"), [("citus", "citus"), ("timescale", "timescaledb")])
def test_an_extension_that_is_not_there_is_reported_with_its_command(
    opened, layout, asked, extension
):
    if layout == asked:
        pytest.skip("it is there")
    with pytest.raises(ConfigError, match=f"CREATE EXTENSION {extension} there"):
        opened(distribution=asked)


def test_tables_stay_as_they_were_made(opened):
    opened(distribution="none").close()
    with pytest.raises(ConfigError, match="were created with 'none'; leave it at 'auto', or copy"):
        opened(distribution="citus")
    opened(distribution="auto").close()


def test_citus_is_asked_to_spread_by_symbol_and_by_strategy():
    assert layout_statements('"desk"', "citus", FIRST_TABLES) == [
        """SELECT create_distributed_table('"desk".bars', 'symbol')""",
        """SELECT create_distributed_table('"desk".fundamentals', 'symbol')""",
        """SELECT create_distributed_table('"desk".events', 'symbol')""",
        """SELECT create_distributed_table('"desk".states', 'strategy')""",
        """SELECT create_distributed_table('"desk".decisions', 'strategy')""",
        """SELECT create_distributed_table('"desk".orders', 'strategy')""",
        """SELECT create_reference_table('"desk".audit_heads')""",
        """SELECT create_reference_table('"desk".about')""",
    ]
    assert layout_statements('"desk"', "citus", ADDED_TABLES) == [
        """SELECT create_distributed_table('"desk".series_columns', 'symbol')""",
        """SELECT create_reference_table('"desk".bar_columns')""",
    ]


def test_timescale_is_asked_to_cut_bars_and_events_by_time():
    assert layout_statements('"o\'desk"', "timescale", TABLES) == [
        """SELECT create_hypertable('"o''desk".bars', by_range('date', INTERVAL '90 days'))""",
        "SELECT create_hypertable('\"o''desk\".events', by_range('timestamp', INTERVAL '30 days'))",
    ]


def test_nobody_is_asked_where_there_is_neither():
    assert layout_statements('"desk"', "none", TABLES) == []


def test_no_statement_selects_nothing_which_a_cluster_refuses():
    sources = list(Path(storecore_postgres.__file__).parent.rglob("*.py"))
    assert len(sources) > 15
    for source in sources:
        assert not re.search(r"SELECT\s+FROM[^`]", source.read_text("utf8")), source.name


@pytest.fixture
def desk(database, monkeypatch):
    """Open the schema `desk` of a database with stand-ins, as if an extension were there."""
    dsn = database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(STAND_INS)

        def opened(distribution):
            monkeypatch.setattr(
                installation, "choose_layout", lambda asked, installed: distribution
            )
            return connection, PostgresDataStore(dsn, schema="desk")

        yield opened


@pytest.mark.parametrize(
    ("distribution", "keys", "notes"),
    [
        ("none", {}, []),
        (
            "timescale",
            {},
            [("cut", "desk.bars", "date 90 days"), ("cut", "desk.events", "timestamp 30 days")],
        ),
        (
            "citus",
            {
                "events": "symbol, timestamp, id",
                "decisions": "strategy, seq",
                "orders": "strategy, seq",
            },
            [
                ("spread", "desk.bars", "symbol"),
                ("spread", "desk.fundamentals", "symbol"),
                ("spread", "desk.events", "symbol"),
                ("spread", "desk.states", "strategy"),
                ("spread", "desk.decisions", "strategy"),
                ("spread", "desk.orders", "strategy"),
                ("copied", "desk.audit_heads", None),
                ("copied", "desk.about", None),
                ("spread", "desk.series_columns", "symbol"),
                ("copied", "desk.bar_columns", None),
            ],
        ),
    ],
)
def test_the_tables_of_each_layout_have_its_keys_and_serve(
    desk, distribution, keys, notes, bar, event, decision, fundamental
):
    connection, store = desk(distribution)
    with store:
        asked = "SELECT what, relation::text, by FROM asked ORDER BY number"
        assert connection.execute(asked).fetchall() == notes
        found = dict(connection.execute(KEYS).fetchall())
        named = {name: set(columns.split(", ")) for name, columns in found.items()}
        of_history = () if distribution == "none" else HISTORY_TABLES
        assert named == {
            name: set(columns.split(", "))
            for name, columns in {**PLAIN_KEYS, **keys}.items()
            if name not in of_history
        }
        store.write_bars("AAPL", [bar()])
        store.write_bars("MSFT", [bar(symbol="MSFT", volume=None, extra={"vwap": 1.5, "n": 1})])
        store.write_bars("MSFT", [bar(symbol="MSFT", extra={"vwap": 2.5, "n": 1.5})])
        store.write_event(event())
        store.write_event(Event("halt", None, bar().date, bar().date, "feed", {}))
        store.write_fundamental("AAPL", fundamental())
        store.save_strategy_state("value", {"cash": 1})
        store.log_decision("value", decision())
        assert store.verify().ok
        assert store.symbols() == store.symbols("1d") == ["AAPL", "MSFT"]
        assert len(store.read_events(bar().date, bar().date)) == 2
        store.rename_symbol("MSFT", "Z")
        store.rename_symbol("AAPL", "B")
        both = store.read_bar_table(["B", "Z"], columns=["symbol", "vwap", "n"], last=1)
        assert both.to_pylist() == [
            {"symbol": "B", "vwap": None, "n": None},
            {"symbol": "Z", "vwap": 2.5, "n": 1.5},
        ]
        assert store.read_events(symbols=["B"]) == [event(symbol="B")]
        assert [each.symbol for each in store.fundamentals("B")] == ["B"]


def test_a_cluster_guards_the_audit_log_by_its_grants_alone(desk):
    connection, store = desk("citus")
    store.close()
    assert connection.execute("SELECT count(*) FROM pg_trigger").fetchone() == (0,)


def test_a_write_to_a_cluster_that_is_in_doubt_goes_by_its_number(desk, event, at_commit):
    connection, store = desk("citus")

    def commit(linked, send):
        send()
        linked.close()
        raise psycopg.OperationalError("lost")

    with store:
        at_commit(commit)
        store.write_event(event())
        assert connection.execute("SELECT count(*) FROM desk.events").fetchone() == (1,)


@pytest.mark.parametrize("distribution", ["citus", "timescale"])
def test_a_cluster_and_a_hypertable_have_no_history_yet(desk, distribution, bar):
    _, store = desk(distribution)
    with store:
        store.complete_tables()
        store.write_bars("AAPL", [bar(close=1.0)])
        store.write_bars("AAPL", [bar(close=2.0)])
        assert [each.close for each in store.read_bars("AAPL")] == [2.0]
        assert not isinstance(store, History)
        assert "History" not in store.capabilities | capabilities_of(store)
        assert "Catalog" in store.capabilities
        why = f"the capability History.*: its tables have the layout {distribution}, which"
        with pytest.raises(AttributeError, match=why):
            store.recorded_now()
        with pytest.raises(StorageError, match=why):
            store.at(bar().date, recorded=bar().date)
        assert store.at(bar().date).read_bars("AAPL") == []
        assert store.at(bar().date + timedelta(days=1)).read_bars("AAPL") == [bar(close=2.0)]


@pytest.mark.parametrize("distribution", ["citus", "timescale"])
def test_filings_are_deleted_in_such_a_layout(desk, distribution, fundamental):
    _, store = desk(distribution)
    with store:
        filing = fundamental()
        store.write_fundamental(filing.symbol, filing)
        assert store.delete_fundamentals(filing.symbol, filing.timestamp, filing.timestamp) == 1


@pytest.mark.parametrize("distribution", ["citus", "timescale"])
def test_a_store_of_such_a_layout_opens_by_its_name_and_in_wrappers_without_history(
    desk, distribution
):
    connection, store = desk(distribution)
    store.close()
    dsn = connection.info.dsn
    mine = {"backend": "postgres", "dsn": dsn, "schema": "desk"}
    memory = {"backend": "memory"}
    for config, expected in (
        (mine, False),
        ({"backend": "readonly", "store": mine}, False),
        ({"backend": "cached", "store": {"backend": "readonly", "store": mine}}, False),
        ({"backend": "mirror", "primary": mine, "replicas": [memory]}, False),
        ({"backend": "mirror", "primary": memory, "replicas": [mine]}, False),
        ({"backend": "mirror", "primary": memory, "replicas": [memory]}, True),
    ):
        with open_store(config) as opened:
            assert isinstance(opened, History) is expected
            assert isinstance(opened, Catalog)
            assert hasattr(opened, "snapshot") is expected
