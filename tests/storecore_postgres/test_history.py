"""What is replaced stays readable, and a question about an instant has one answer for ever."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import psycopg
import pyarrow as pa
import pytest

from storecore import (
    FundamentalData,
    HistoryPruned,
    InvalidData,
    LockTimeout,
    PriceBar,
    StorageError,
)
from storecore_postgres.bar_rows import _COPY_FROM, _UPSERT_ROWS
from storecore_postgres.database import Pool

ALL = date.min, date.max
JAN_5, JAN_6 = datetime(2026, 1, 5), datetime(2026, 1, 6)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def has_history(layout):
    """Leave out these tests on Citus and TimescaleDB, whose stores have no history."""
    if layout != "none":
        pytest.skip("stores of this layout have no history")


@pytest.fixture
def closes():
    """Return the versions of AAPL's bars as closes, each with whether it is the present one."""
    return lambda store, **asked: [
        (each.bar.close, each.replaced_at is None) for each in store.bar_versions("AAPL", **asked)
    ]


@pytest.fixture
def waits(admin, schema):
    """Wait until a session of the test's stores waits for a lock."""

    def wait():
        while not admin.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = %s "
            "AND wait_event_type = 'Lock'",
            [schema],
        ).fetchall():
            time.sleep(0.01)
            admin.execute("SELECT pg_stat_clear_snapshot()")

    return wait


@pytest.fixture
def held(postgres_dsn, schema, waits):
    """Hold a write between its instant and its commit, while a function is called."""

    def hold(write, meanwhile, rows="bars"):
        with psycopg.connect(postgres_dsn) as other, ThreadPoolExecutor(2) as threads:
            other.execute(f"SELECT 1 FROM {schema}.{rows} FOR UPDATE")
            writing = threads.submit(write)
            waits()
            asking = threads.submit(meanwhile)
            time.sleep(0.2)
            is_waiting = not asking.done()
            other.rollback()
            writing.result()
            return is_waiting, asking.result()

    return hold


def minutes(bar, count, close=100.0):
    return [bar(date=JAN_5 + timedelta(minutes=each), close=close) for each in range(count)]


@pytest.fixture
def filing():
    """Make a fundamental of AAPL with a number of employees."""
    return lambda employees, at: FundamentalData(
        symbol="AAPL", timestamp=at, company_name="Apple", cik="1", employees=employees, raw_xml=""
    )


def table(*bars):
    names = ("symbol", "date", "open", "high", "low", "close", "volume")
    return pa.table({name: [getattr(each, name) for each in bars] for name in names})


# The clock of recording.


def test_a_question_waits_for_a_writer_that_has_taken_an_earlier_instant(
    store, opened, bar, held, closes
):
    store.write_bars("AAPL", [bar(close=1.0)])
    with opened() as other:
        other.recorded_now()
        is_waiting, moment = held(
            lambda: store.write_bars("AAPL", [bar(close=2.0)]), other.recorded_now
        )
        assert is_waiting
        assert closes(other, recorded=moment) == [(2.0, True)]
        assert store.bar_versions("AAPL")[1].recorded_at < moment


@pytest.mark.parametrize(
    "remove",
    [
        lambda store: store.delete_bars("AAPL", JAN_6, JAN_6),
        lambda store: store.rename_symbol("AAPL", "NEW"),
        lambda store: store.write_bar_table(
            table(PriceBar("AAPL", JAN_5, 1.0, 1.0, 1.0, 1.0, 5)), replace=True
        ),
    ],
    ids=["delete", "rename", "replace"],
)
def test_a_removal_waits_for_a_writer_that_would_insert_again_what_it_removes(
    store, opened, bar, held, remove
):
    store.write_bars("AAPL", [bar(close=1.0), bar(date=JAN_6, close=1.0)])
    again = [bar(close=2.0), bar(date=JAN_6, close=2.0)]
    with opened() as other:
        is_waiting, _ = held(
            lambda: store.write_bars("AAPL", again),
            lambda: remove(other),
            f"bars WHERE date = '{JAN_5}'",
        )
    versions = store.bar_versions("AAPL", JAN_6)
    assert is_waiting
    assert [each.bar.close for each in versions] == [1.0, 2.0]
    assert versions[0].replaced_at == versions[1].recorded_at < versions[1].replaced_at
    assert store.read_bars("AAPL", JAN_6) == []


def test_a_removal_waits_for_a_transaction_that_has_taken_an_instant(store, opened, bar, at_commit):
    bars = minutes(bar, _UPSERT_ROWS + 1)
    store.write_bars("AAPL", bars)
    with opened() as other, ThreadPoolExecutor(1) as threads:
        removals = []

        def remove_meanwhile(connection, execute):
            taken = execute()
            removals.append(threads.submit(other.delete_bars, "AAPL", *ALL))
            time.sleep(0.2)
            assert not removals[0].done()
            return taken

        at_commit(remove_meanwhile, "SELECT timestamptz_send")
        store.write_bars("AAPL", minutes(bar, len(bars), close=2.0))
        assert removals[0].result() == len(bars)
    first, second = store.bar_versions("AAPL", JAN_5, JAN_5)
    assert first.replaced_at == second.recorded_at < second.replaced_at


def test_a_removal_waits_for_a_writer_of_fundamentals(store, opened, filing, held):
    times = JAN_5, JAN_6
    store.write_fundamentals([filing(1, each) for each in times])
    with opened() as other:
        is_waiting, _ = held(
            lambda: store.write_fundamentals([filing(2, each) for each in times]),
            lambda: other.delete_fundamentals("AAPL", JAN_6, JAN_6),
            f"fundamentals WHERE timestamp = '{JAN_5}'",
        )
    first, second = store.fundamental_versions("AAPL", JAN_6)
    assert is_waiting
    assert first.replaced_at == second.recorded_at < second.replaced_at


def test_a_plain_read_waits_for_no_writer(store, opened, bar, held):
    store.write_bars("AAPL", [bar(close=1.0)])
    with opened() as other:
        is_waiting, found = held(
            lambda: store.write_bars("AAPL", [bar(close=2.0)]), lambda: other.read_bars("AAPL")
        )
    assert not is_waiting
    assert found == [bar(close=1.0)]


def test_a_question_about_an_instant_that_was_asked_before_waits_for_no_writer(
    store, opened, bar, held, closes
):
    store.write_bars("AAPL", [bar(close=1.0)])
    with opened() as other:
        moment = other.recorded_now()
        is_waiting, found = held(
            lambda: store.write_bars("AAPL", [bar(close=2.0)]),
            lambda: closes(other, recorded=moment),
        )
        assert not is_waiting
        assert found == closes(other, recorded=moment) == [(1.0, True)]


def test_a_writer_that_does_not_end_is_named(store, opened, bar, postgres_dsn, schema):
    with psycopg.connect(postgres_dsn) as writer, opened(pool=Pool(timeout=0.2)) as other:
        writer.execute(f"SELECT nextval('{schema}.recording_clock')")
        with pytest.raises(LockTimeout, match=f"0.2 seconds .pid {writer.info.backend_pid}.; end"):
            other.recorded_now()
        writer.rollback()
        assert other.recorded_now()


def test_the_clock_goes_on_after_the_servers_clock_was_set_back(store, admin, schema, bar, closes):
    ahead = datetime.now(UTC).replace(microsecond=0) + HOUR
    admin.execute(f"SELECT setval('{schema}.recording_clock', {int(ahead.timestamp()) * 10**6})")
    store.write_bars("AAPL", [bar(close=1.0)])
    first = store.recorded_now()
    store.write_bars("AAPL", [bar(close=2.0)])
    recorded = [each.recorded_at for each in store.bar_versions("AAPL")]
    assert ahead < recorded[0] < first < recorded[1] < ahead + timedelta(seconds=1)
    assert closes(store, recorded=first) == [(1.0, True)]


def test_a_moment_in_the_future_is_refused(store):
    with pytest.raises(InvalidData, match="is in the future: the store's clock of recording shows"):
        store.bar_versions("AAPL", recorded=datetime.now(UTC) + HOUR)


def test_writers_of_many_connections_take_different_instants(opened, bar):
    def write(number):
        with opened() as store:
            for each in range(20):
                store.write_bars(f"S{number}", [bar(symbol=f"S{number}", close=float(each))])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    with opened() as store:
        versions = [each for n in range(4) for each in store.bar_versions(f"S{n}")]
    assert len({each.recorded_at for each in versions}) == len(versions) == 80


# Writes of bars.


def test_a_bar_of_the_same_key_that_another_session_has_just_added_is_kept(
    store, postgres_dsn, schema, waits, bar, closes
):
    given = [bar(close=2.0), bar(date=JAN_6, close=3.0)]
    with psycopg.connect(postgres_dsn) as other, ThreadPoolExecutor(1) as threads:
        other.execute(
            f"INSERT INTO {schema}.bars VALUES "
            "('AAPL', '1d', '2026-01-05+00', 99, 101, 98, 1, 1000, NULL, clock_timestamp())"
        )
        writing = threads.submit(store.write_bars, "AAPL", given)
        waits()
        other.commit()
        writing.result()
    assert closes(store) == [(1.0, False), (2.0, True), (3.0, True)]


def test_a_version_that_another_session_has_written_meanwhile_is_kept(
    store, postgres_dsn, schema, waits, bar, closes
):
    store.write_bars("AAPL", [bar(close=1.0)])
    with psycopg.connect(postgres_dsn) as other, ThreadPoolExecutor(1) as threads:
        other.execute(
            f"WITH old AS (INSERT INTO {schema}.bar_history SELECT bars.*, clock_timestamp() "
            f"FROM {schema}.bars) UPDATE {schema}.bars SET close = 2, recorded = clock_timestamp()"
        )
        writing = threads.submit(store.write_bars, "AAPL", [bar(close=3.0)])
        waits()
        other.commit()
        writing.result()
    assert closes(store) == [(1.0, False), (2.0, False), (3.0, True)]


@pytest.mark.parametrize("count", [1, 2, _COPY_FROM, _UPSERT_ROWS + 1])
def test_a_write_of_any_size_is_recorded_at_one_instant_and_an_equal_one_not_at_all(
    store, bar, count
):
    for close in (1.0, 1.0, 2.0):
        store.write_bars("AAPL", minutes(bar, count, close))
    versions = store.bar_versions("AAPL")
    first, second = versions[0], versions[1]
    assert {(each.bar.close, each.recorded_at, each.replaced_at) for each in versions} == {
        (1.0, first.recorded_at, second.recorded_at),
        (2.0, second.recorded_at, None),
    }
    assert len(versions) == 2 * count


def test_zeros_of_another_sign_and_volumes_that_no_float_equals_are_other_values(store, bar):
    given = [bar(open=0.0), bar(open=-0.0), bar(volume=2**53), bar(volume=2**53 + 1)]
    for each in (*given, given[-1]):
        store.write_bars("AAPL", [each])
    assert [each.bar for each in store.bar_versions("AAPL")] == given


def test_further_columns_count_and_have_one_type_in_all_versions(store, bar):
    for extra in ({"n": 1}, {"n": 1}, {"n": 2, "at": JAN_5.replace(tzinfo=UTC)}, None, {"n": 0.5}):
        store.write_bars("AAPL", [bar(extra=extra)])
    assert [each.bar.extra for each in store.bar_versions("AAPL")] == [
        {"n": 1.0},
        {"n": 2.0, "at": JAN_5.replace(tzinfo=UTC)},
        None,
        {"n": 0.5},
    ]


def test_columns_that_another_process_has_added_are_found(store, opened, bar):
    store.write_bars("AAPL", [bar()])
    with opened() as other:
        other.write_bars("AAPL", [bar(extra={"vwap": 1.5})])
    assert [each.bar.extra for each in store.bar_versions("AAPL")] == [None, {"vwap": 1.5}]
    store.write_bars("AAPL", [bar(extra={"vwap": 2.5})])
    assert len(store.bar_versions("AAPL")) == 3


def test_a_series_that_is_replaced_keeps_equal_bars_and_the_versions_of_those_that_it_loses(
    store, bar
):
    store.write_bars("AAPL", [bar(), bar(date=JAN_6, extra={"vwap": 1.5})])
    before = store.bar_versions("AAPL")
    store.write_bar_table(table(bar()), replace=True)
    kept, lost = store.bar_versions("AAPL")
    assert kept == before[0]
    assert lost.bar == before[1].bar
    assert lost.replaced_at is not None


def test_a_renaming_deletes_and_writes_at_one_instant_and_keeps_columns_of_others(
    store, admin, schema, bar, event, fundamental
):
    admin.execute(f"ALTER TABLE {schema}.bars ADD note text, ADD now int")
    store.write_bars("AAPL", [bar(extra={"vwap": 1.5})])
    store.write_event(event())
    store.write_fundamental("AAPL", fundamental())
    admin.execute(f"UPDATE {schema}.bars SET note = 'mine'")
    store.rename_symbol("AAPL", "B")
    (old,), (new,) = store.bar_versions("AAPL"), store.bar_versions("B")
    pairs = [
        (old, new),
        store.event_versions(),
        (*store.fundamental_versions("AAPL"), *store.fundamental_versions("B")),
    ]
    assert {former.replaced_at for former, _ in pairs} == {now.recorded_at for _, now in pairs}
    assert len({now.recorded_at for _, now in pairs}) == 1
    assert admin.execute(f"SELECT note FROM {schema}.bars").fetchall() == [("mine",)]
    assert store.read_events() == [event(symbol="B")]


def test_what_is_deleted_stays_readable(store, bar, event, fundamental, closes):
    store.write_bars("AAPL", [bar(close=1.0)])
    store.write_event(event())
    store.write_fundamental("AAPL", fundamental())
    moment = store.recorded_now()
    assert store.delete_bars("AAPL", *ALL) == store.delete_events(*ALL) == 1
    assert store.delete_fundamentals("AAPL", *ALL) == 1
    assert store.delete_bars("AAPL", *ALL) == 0
    assert closes(store, recorded=moment) == [(1.0, True)]
    assert [each.event for each in store.event_versions(recorded=moment)] == [event()]
    assert [each.data for each in store.fundamental_versions("AAPL", recorded=moment)] == [
        fundamental()
    ]
    assert [each.kind for each in store.corrections()] == ["bars", "events", "fundamentals"]
    assert store.bar_versions("AAPL", recorded=store.recorded_now()) == []


def test_a_fundamental_is_replaced_only_by_another_one(store, fundamental):
    given = [fundamental(employees=1), fundamental(employees=1), fundamental(employees=2)]
    for each in given:
        store.write_fundamental("AAPL", each)
    versions = store.fundamental_versions("AAPL")
    assert [each.data for each in versions] == given[1:]
    assert versions[0].replaced_at == versions[1].recorded_at


# The option `history`, pruning and snapshots.


def test_without_history_a_question_before_the_last_replacement_is_refused(
    opened, bar, fundamental, closes
):
    with opened(history=False) as store:
        store.write_bars("AAPL", [bar(close=1.0)])
        moment = store.recorded_now()
        store.write_bars("AAPL", [bar(close=1.0)])
        assert closes(store, recorded=moment) == [(1.0, True)]
        store.write_bars("AAPL", [bar(close=2.0)])
        with pytest.raises(HistoryPruned, match="was pruned or not kept"):
            closes(store, recorded=moment)
        assert closes(store, recorded=store.recorded_now()) == closes(store) == [(2.0, True)]
        moment = store.recorded_now()
        assert store.delete_bars("AAPL", *ALL) == 1
        assert store.delete_bars("AAPL", *ALL) == 0
        with pytest.raises(HistoryPruned):
            closes(store, recorded=moment)
        assert store.corrections() == []


def test_without_history_what_a_snapshot_shows_is_kept(opened, bar, closes):
    with opened(history=False) as store:
        store.write_bars("AAPL", [bar(close=1.0)])
        snapshot = store.snapshot("first", "before the split")
        store.write_bars("AAPL", [bar(close=2.0)])
        assert closes(store, recorded=snapshot.recorded_at) == [(1.0, True)]
        assert store.snapshots() == [snapshot]
        assert store.drop_snapshot("first") is True
        assert store.drop_snapshot("first") is False
        store.write_bars("AAPL", [bar(close=3.0)])
        with pytest.raises(HistoryPruned):
            closes(store, recorded=snapshot.recorded_at)


def test_compact_prunes_what_was_replaced_longer_ago_than_the_option_says(
    opened, admin, schema, bar, closes
):
    with opened(history="1h") as store:
        for close in (1.0, 2.0, 3.0):
            store.write_bars("AAPL", [bar(close=close)])
        admin.execute(
            f"UPDATE {schema}.bar_history SET recorded = recorded - interval '2 hours', "
            "replaced = replaced - interval '2 hours' WHERE close = 1"
        )
        store.compact()
        assert closes(store) == [(2.0, False), (3.0, True)]


def test_pruning_never_cuts_under_a_snapshot(store, bar):
    store.write_bars("AAPL", [bar(close=1.0)])
    store.snapshot("first")
    store.write_bars("AAPL", [bar(close=2.0)])
    with pytest.raises(InvalidData, match="is after the snapshot 'first'"):
        store.prune_history(store.recorded_now())
    with pytest.raises(InvalidData, match="snapshot 'first' exists already"):
        store.snapshot("first")
    store.drop_snapshot("first")
    assert store.prune_history(store.recorded_now()) == 1
    assert store.prune_history(datetime(1960, 1, 1, tzinfo=UTC)) == 0


def test_a_snapshot_whose_commit_is_in_doubt_is_added_and_dropped_once(store, at_commit):
    def lost(connection, send):
        send()
        connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    at_commit(lost)
    added = store.snapshot("first")
    assert store.snapshots() == [added]
    at_commit(lost)
    assert store.drop_snapshot("first") is True
    assert store.snapshots() == []


def test_pruning_covers_each_kind(store, bar, event, fundamental):
    store.write_bars("AAPL", [bar()])
    store.write_event(event())
    store.write_fundamental("AAPL", fundamental())
    store.delete_events(*ALL)
    store.rename_symbol("AAPL", "B")
    assert store.prune_history(store.recorded_now()) == 3
    assert store.corrections() == store.event_versions() == []


# Integrity.


def test_verify_finds_damaged_versions(store, admin, schema, bar, event, fundamental):
    store.write_bars("AAPL", [bar()])
    store.write_event(event())
    store.write_fundamental("AAPL", fundamental())
    store.delete_events(*ALL)
    store.rename_symbol("AAPL", "B")
    assert store.verify().ok
    admin.execute(f"UPDATE {schema}.bar_history SET close = 'NaN'")
    admin.execute(f"UPDATE {schema}.event_history SET document = '{{}}'")
    admin.execute(f"UPDATE {schema}.fundamental_history SET document = '{{}}'")
    found = store.verify().findings
    assert [each.kind for each in found] == ["damaged"] * 3
    assert "AAPL (1d)" in {each.place for each in found}


def test_a_clock_that_is_behind_its_versions_is_found_and_set(store, admin, schema, bar):
    store.write_bars("AAPL", [bar()])
    admin.execute(f"ALTER SEQUENCE {schema}.recording_clock RESTART")
    (finding,) = store.verify().findings
    assert finding.kind == "behind"
    assert "it shows nothing, but a version was recorded at 20" in finding.detail
    assert store.repair(dry_run=True).actions == (
        "would set the clock of recording to its last version",
    )
    assert store.repair().actions == ("set the clock of recording to its last version",)
    assert store.verify().ok


# Roles.


def test_who_may_only_read_asks_without_moving_the_clock(store, role, schema, opened, admin, bar):
    reader, reading = role()
    admin.execute(
        f"GRANT USAGE ON SCHEMA {schema} TO {reader}; "
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {reader}; "
        f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {reader}"
    )
    store.write_bars("AAPL", [bar()])
    last = f"SELECT last_value FROM {schema}.recording_clock"
    before = admin.execute(last).fetchone()
    with opened(dsn=reading) as store:
        assert len(store.bar_versions("AAPL", recorded=store.recorded_now())) == 1
        with pytest.raises(StorageError, match="lacks a privilege"):
            store.prune_history(store.recorded_now())
    assert admin.execute(last).fetchone() == before


# Reads of what was held.


def read_at(store, moment):
    return store.at(moment, recorded=moment).read_bars("AAPL")


def test_a_view_of_an_instant_reads_what_was_held_then(store, opened, bar):
    with opened() as other:
        store.write_bars("AAPL", [bar(close=1.0), bar(date=JAN_6, volume=2**53 + 1)])
        moments = [store.recorded_now()]
        store.write_bars("AAPL", [bar(close=2.0)])
        moments.append(store.recorded_now())
        store.delete_bars("AAPL", *ALL)
        moments.append(store.recorded_now())
        store.write_bars("AAPL", [bar(close=3.0, extra={"vwap": 1.5})])
        moments.append(store.recorded_now())
        answers = [read_at(store, each) for each in moments]
        assert [read_at(other, each) for each in moments] == answers
    rest = bar(date=JAN_6, volume=2**53 + 1)
    assert answers == [
        [bar(close=1.0), rest],
        [bar(close=2.0), rest],
        [],
        [bar(close=3.0, extra={"vwap": 1.5})],
    ]


def test_nothing_was_recorded_before_a_store_was_made(opened, bar):
    before = time.time_ns() // 1000
    with opened() as store:
        assert before <= store.recording_began() <= time.time_ns() // 1000
        began = store.recording_began()
        store.write_bars("AAPL", [bar()])
    with opened() as again:
        assert again.recording_began() == began
