"""Stores of release 1 stay as they are until a write has something that release 1 would misread."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

import storecore
from storecore import Action, HistoryPruned, StorageError
from storecore.cli.app import app
from storecore.values.times import EVER
from storecore_postgres import extra
from storecore_postgres.schema.columns import check_tables, tables_made_by, tables_of
from storecore_postgres.schema.tables import ADDED_TABLES, FIRST_TABLES

RELEASE_1 = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.about (
    key text PRIMARY KEY,
    value text NOT NULL
);
CREATE TABLE {schema}.bars (
    symbol text COLLATE "C" NOT NULL,
    timeframe text COLLATE "C" NOT NULL,
    date timestamptz NOT NULL,
    open float8 NOT NULL,
    high float8 NOT NULL,
    low float8 NOT NULL,
    close float8 NOT NULL,
    volume float8 NOT NULL,
    exact_volume int8,
    PRIMARY KEY (symbol, timeframe, date)
);
CREATE TABLE {schema}.fundamentals (
    symbol text COLLATE "C" NOT NULL,
    timestamp timestamptz NOT NULL,
    document json NOT NULL,
    PRIMARY KEY (symbol, timestamp)
);
CREATE TABLE {schema}.events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    timestamp timestamptz NOT NULL,
    type text COLLATE "C" NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    document json NOT NULL,
    PRIMARY KEY (timestamp, id)
);
CREATE INDEX ON {schema}.events (type, timestamp, id);
CREATE TABLE {schema}.states (
    strategy text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    document json NOT NULL,
    PRIMARY KEY (strategy, version)
);
CREATE TABLE {schema}.audit_heads (
    log text PRIMARY KEY,
    seq bigint NOT NULL,
    hash text NOT NULL
);
INSERT INTO {schema}.audit_heads VALUES ('decisions', 0, ''), ('orders', 0, '');
CREATE TABLE {schema}.decisions (
    seq bigint NOT NULL,
    day date NOT NULL,
    strategy text COLLATE "C" NOT NULL,
    logged_at timestamptz NOT NULL,
    record json NOT NULL,
    PRIMARY KEY (seq)
);
CREATE TABLE {schema}.orders (
    seq bigint NOT NULL,
    day date NOT NULL,
    strategy text COLLATE "C" NOT NULL,
    logged_at timestamptz NOT NULL,
    record json NOT NULL,
    PRIMARY KEY (seq)
);
INSERT INTO {schema}.about VALUES ('version', '1'), ('distribution', 'none');
"""
GRANTS_OF_RELEASE_1 = """
GRANT USAGE ON SCHEMA {schema} TO {reader}, {writer};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {reader}, {writer};
GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {reader}, {writer};
GRANT INSERT ON ALL TABLES IN SCHEMA {schema} TO {writer};
GRANT UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {writer};
GRANT UPDATE ON {schema}.bars, {schema}.fundamentals, {schema}.audit_heads TO {writer};
GRANT DELETE ON {schema}.bars, {schema}.states TO {writer};
"""
NOON, NEXT_DAY = datetime(2026, 1, 5, 12), datetime(2026, 1, 6)


@pytest.fixture
def release_1(admin, schema, opened, bar):
    """Make a store as release 1 does, with a bar in it; return a function that opens it."""
    admin.execute(RELEASE_1.format(schema=schema))
    with opened() as store:
        store.write_bars("AAPL", [bar()])
    return opened


@pytest.fixture
def still_opens(admin, schema):
    """Return whether release 1 would open the store of the test, by what it checks."""

    def opens():
        about = dict(admin.execute(f"SELECT key, value FROM {schema}.about").fetchall())
        statements = RELEASE_1.format(schema="made").split(";")
        quoted = f'"{schema}"'
        expected = tables_made_by(each.strip() for each in statements)
        check_tables(tables_of(admin, quoted, expected), expected, quoted)
        return about["version"] == "1"

    return opens


@pytest.fixture
def tables(admin, schema):
    asked = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
    return lambda: {name for (name,) in admin.execute(asked, [schema])}


@pytest.fixture
def roles(role, admin, schema):
    """Make a reading and a writing role, each with the grants of release 1; return their dsns."""

    def make():
        (reader, reading), (writer, writing) = role(), role()
        admin.execute(GRANTS_OF_RELEASE_1.format(schema=schema, reader=reader, writer=writer))
        return reading, writing

    return make


def test_it_is_opened_and_written_and_stays_as_it_is(
    release_1, tables, still_opens, bar, event, fundamental, decision, sent
):
    with release_1() as store:
        store.write_bars("AAPL", [bar(), bar(date=NEXT_DAY, volume=2**53 + 1)])
        store.write_bar_table(store.read_bar_table("AAPL"), replace=True)
        store.write_event(event())
        store.write_fundamental("AAPL", fundamental())
        store.save_strategy_state("value", {"cash": 1})
        assert store.delete_strategy_state("momentum") is False
        store.log_decision("value", decision())
        store.log_order("value", *sent())
        store.rename_symbol("AAPL", "B")
        assert len(store.read_bars("B")) == len(store.read_bar_table(["A", "B"], last=5)) == 2
        assert len(store.read_bar_table(["A", "B"], "2030-01-01")) == 0
        assert sum(map(len, store.iter_bar_tables("B"))) == 2
        assert (
            store.delete_bars("B", NEXT_DAY, NEXT_DAY)
            == store.delete_events("2026-01-05", NOON)
            == 1
        )
        assert store.verify().ok
        assert store.compact().checked == len(FIRST_TABLES)
    assert tables() == set(FIRST_TABLES)
    assert still_opens()


def test_a_new_store_has_a_history_so_release_1_does_not_open_it(no_cluster, opened, still_opens):
    opened().close()
    with pytest.raises(StorageError, match=r'column "recorded" of its table \w+ is unknown'):
        still_opens()


@pytest.mark.parametrize(
    "write",
    [
        lambda store, make: store.write_bars("AAPL", [make["bar"](volume=None)]),
        lambda store, make: store.write_bars("AAPL", [make["bar"](extra={"vwap": 1.5})]),
        lambda store, make: store.write_fundamental("AAPL", make["fundamental"](extra={"eps": 1})),
        lambda store, make: store.log_decision("value", make["decision"](action=Action.SELL)),
        lambda store, make: store.log_order("value", *make["sent"](extra={"route": "X"})),
        lambda store, make: (
            store.save_strategy_state("value", {}),
            store.delete_strategy_state("value"),
        ),
        lambda store, make: store.log_order("value", *make["sent"](), run="bt-7"),
    ],
    ids=["volume", "column", "fundamental", "sell", "order", "deleted state", "run"],
)
def test_what_release_1_would_misread_raises_the_version_first(
    release_1, still_opens, tables, bar, fundamental, decision, sent, write
):
    make = {"bar": bar, "fundamental": fundamental, "decision": decision, "sent": sent}
    with release_1() as store, release_1() as other:
        write(store, make)
        assert not still_opens()
        write(other, make)
        assert store.verify().ok
        assert other.read_bars("AAPL") == store.read_bars("AAPL")
    assert tables() == {*FIRST_TABLES, *ADDED_TABLES}
    with release_1() as store:
        assert store.verify().ok


def test_records_of_another_store_raise_it_too(release_1, still_opens, decision):
    with storecore.open_store("memory") as other:
        other.log_decision("value", decision(extra={"why": "x"}))
        (line,) = other.iter_audit("decisions")
    with release_1() as store:
        store.append_audit("decisions", line.day, [line.line])
        assert not still_opens()


def test_a_store_that_is_open_meanwhile_finds_the_columns(release_1, bar):
    given = [bar(extra={"vwap": 1.5}), bar(date=NOON, volume=None)]
    with release_1() as store, release_1() as other, release_1() as third:
        store.write_bars("AAPL", given)
        assert other.read_bars("AAPL") == given
        assert len(third.read_bar_table(["AAPL", "B"])) == 2
        third.write_bars("AAPL", [bar()])
        assert store.read_bars("AAPL") == [bar(), given[1]]


def test_a_role_that_may_not_change_the_tables_is_told_what_to_do(release_1, roles, bar, decision):
    _, writing = roles()
    told = "the tables of .* must be changed for it, which this role may not; run `storecore init`"
    with release_1(dsn=writing) as store:
        for given in (bar(volume=None), bar(extra={"vwap": 1.5})):
            with pytest.raises(StorageError, match=told):
                store.write_bars("AAPL", [given])
        with pytest.raises(StorageError, match=told):
            store.log_decision("value", decision(action=Action.SELL))
        assert store.read_bars("AAPL") == [bar()]


def test_init_adds_what_is_missing_and_roles_have_there_what_they_have_for_bars(
    release_1, roles, place, bar
):
    reading, writing = roles()
    options = ["--set", f"dsn={place['dsn']}", "--set", f"schema={place['schema']}"]
    assert CliRunner().invoke(app, ["init", "--backend", "postgres", *options]).exit_code == 0
    given = [bar(volume=None, extra={"vwap": 1.5})]
    with release_1(dsn=writing) as writer, release_1(dsn=reading) as reader:
        writer.write_bars("AAPL", given)
        assert reader.read_bars("AAPL") == given
        assert writer.delete_bars("AAPL", "2026-01-05", NOON) == 1


def test_what_only_half_is_there_is_reported(release_1, admin, schema, opened):
    with release_1() as store:
        store.complete_tables()
        store.complete_tables()
    admin.execute(f"DROP TABLE {schema}.series_columns")
    with pytest.raises(StorageError, match="its table series_columns does not exist"):
        opened()


def test_another_error_while_the_tables_are_changed_is_itself(release_1, admin, schema, bar):
    with release_1() as store:
        admin.execute(f"CREATE TABLE {schema}.bar_columns (x int)")
        with pytest.raises(StorageError, match='relation "bar_columns" already exists'):
            store.write_bars("AAPL", [bar(volume=None)])


# A history for a store of an earlier release.


@pytest.fixture
def version_2(release_1, bar, event, fundamental):
    """A store of version 2, with a further column and something of each kind."""
    with release_1() as store:
        store.write_bars("AAPL", [bar(extra={"vwap": 1.5, "venue": "X"})])
        store.write_event(event())
        store.write_fundamental("AAPL", fundamental())
    return release_1


@pytest.mark.parametrize("of", ["release_1", "version_2"])
def test_a_store_of_an_earlier_release_has_no_history(of, request, bar):
    with request.getfixturevalue(of)() as store:
        store.write_bars("AAPL", [bar(close=1.0)])
        held = [
            *store.bar_versions("AAPL"),
            *store.event_versions(),
            *store.fundamental_versions("AAPL"),
        ]
        assert {(each.recorded_at, each.replaced_at) for each in held} == {(None, None)}
        assert held[0].bar == bar(close=1.0)
        assert store.corrections() == store.snapshots() == []
        assert store.drop_snapshot("first") is False
        assert store.at(NEXT_DAY).read_bars("AAPL", "2026-01-01", NOON) == [bar(close=1.0)]
        assert len(store._bars.recorded("AAPL", "1d", EVER, 0)) == 1
        assert store.unreplaced_bars("AAPL", EVER, "1d").recorded.to_pylist() == [None]
        for ask in (
            store.recorded_now,
            lambda: store.snapshot("first"),
            lambda: store.bar_versions("AAPL", recorded=NOON.replace(tzinfo=UTC)),
            lambda: store.prune_history(NOON.replace(tzinfo=UTC)),
            store._clock.horizon,
            lambda: store._clock.prune(0),
        ):
            with pytest.raises(HistoryPruned, match="has no history: it is of an earlier release"):
                ask()


@pytest.mark.parametrize("of", ["release_1", "version_2"])
def test_init_gives_it_one_and_what_it_held_was_recorded_before(of, request, bar):
    opened = request.getfixturevalue(of)
    with opened() as store:
        before = store.read_bars("AAPL")
        store.complete_tables()
        store.complete_tables()
        store.write_bars("AAPL", [bar(close=1.0)])
        for each in (store, opened()):
            first, second = each.bar_versions("AAPL")
            assert first.recorded_at is None
            assert [first.bar] == before
            assert first.replaced_at == second.recorded_at
            assert {one.recorded_at for one in each.event_versions()} <= {None}
            assert {one.recorded_at for one in each.fundamental_versions("AAPL")} <= {None}
            assert each.verify().ok
        each.close()


def test_who_has_it_open_meanwhile_cannot_write_any_more(version_2, bar, event, fundamental):
    with version_2() as store, version_2() as other:
        store.complete_tables()
        for write, given in (
            (other.write_bars, ("AAPL", [bar(close=1.0)])),
            (other.write_event, (event(),)),
            (other.write_fundamental, ("AAPL", fundamental(employees=7))),
        ):
            with pytest.raises(StorageError, match='null value in column "recorded"'):
                write(*given)
        assert store.corrections() == []


def test_roles_have_the_privileges_for_history_that_they_have_for_the_rest(
    version_2, roles, role, admin, schema, bar
):
    (reading, writing), (keeper, keeping) = roles(), role()
    admin.execute(
        f"GRANT USAGE ON SCHEMA {schema} TO {keeper}; "
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {keeper}; "
        f"GRANT UPDATE ON {schema}.bars TO {keeper}; "
        f"GRANT DELETE ON {schema}.fundamentals TO {keeper}"
    )
    with version_2() as store:
        store.complete_tables()
    with version_2(dsn=writing) as writer, version_2(dsn=reading) as reader:
        writer.write_bars("AAPL", [bar(close=1.0)])
        assert len(reader.bar_versions("AAPL", recorded=reader.recorded_now())) == 1
        writer.snapshot("first")
        with pytest.raises(StorageError, match="lacks a privilege"):
            writer.drop_snapshot("first")
        assert reader.corrections() == writer.corrections()
    with version_2(dsn=keeping) as keeper:
        assert keeper.drop_snapshot("first")
        assert keeper.prune_history(keeper.recorded_now()) == 1


def test_further_columns_that_are_named_as_the_instants_keep_their_names(
    release_1, monkeypatch, bar
):
    monkeypatch.setattr(extra, "_OF_VERSIONS", set())  # as an earlier release
    given = bar(extra={"recorded": 1, "replaced": "x"})
    with release_1() as store:
        store.write_bars("AAPL", [given])
        store.complete_tables()
        assert store.read_bars("AAPL") == [given]
        store.write_bars("AAPL", [bar(extra={"recorded": 2})])
        assert [each.bar for each in store.bar_versions("AAPL")] == [
            given,
            bar(extra={"recorded": 2}),
        ]


def test_columns_may_be_named_as_the_instants(no_cluster, opened, bar):
    given = bar(extra={"recorded": 1, "replaced": 2, "now": 3, "symbol_": 4})
    with opened() as store:
        store.write_bars("AAPL", [given])
        store.rename_symbol("AAPL", "B")
        assert [each.bar for each in store.bar_versions("AAPL")] == [given]
        assert store.read_bars("B") == [bar(symbol="B", extra=given.extra)]
