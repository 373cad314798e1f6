"""The pool: lost and interrupted connections, servers that return, locks of other sessions."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Event

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from storecore import LockTimeout, StorageError
from storecore_postgres import connections
from storecore_postgres.connections import Connections, Pool
from storecore_postgres.errors import PoolExhausted

ALL = date.min, date.max


@pytest.fixture
def pool(place):
    """Make a pool of connections; each call of `connect` is noted."""
    made, pools = [], []

    def make(connect=lambda: psycopg.connect(place["dsn"], autocommit=True), **sizes):
        def noted():
            made.append(time.monotonic())
            return connect()

        pools.append(Connections(noted, Pool(**sizes)))
        return pools[-1], made

    yield make
    for each in pools:
        each.close()


def nothing(connection):
    return connection.execute("SELECT 1").fetchone()


def test_a_connection_is_used_again(pool):
    lending, made = pool()
    for _ in range(3):
        assert lending.lend(5.0, nothing) == (1,)
    assert len(made) == 1


def test_as_many_as_asked_are_made_at_once(pool):
    lending, made = pool(min_size=3)
    lending.open(5.0)
    assert len(made) == 3


def test_there_are_never_more_than_asked(pool):
    lending, made = pool(max_size=2)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: lending.lend(20.0, nothing), range(40)))
    assert 1 <= len(made) <= 2


def test_one_who_waits_is_served_as_soon_as_another_is_done(pool, monkeypatch):
    monkeypatch.setattr(connections, "_POLL_SECONDS", 60.0)
    lending, _ = pool(max_size=1)
    lent, done = Event(), Event()

    def hold(connection):
        lent.set()
        done.wait()

    with ThreadPoolExecutor(2) as threads:
        threads.submit(lending.lend, 5.0, hold)
        lent.wait()
        waiting = threads.submit(lending.lend, 30.0, nothing)
        time.sleep(0.05)
        done.set()
        assert waiting.result(timeout=10) == (1,)


def test_a_connection_in_whose_use_an_exception_was_raised_is_not_lent_again(pool):
    """Who raised it, and where in the driver's work, cannot be known: its state is not, either."""
    lending, made = pool()
    for statement in ("SELECT 1", "SELECT 1 / 0"):
        with pytest.raises((ZeroDivisionError, psycopg.DataError)):
            lending.lend(5.0, lambda each, asked=statement: left_open(each, asked))
        status = lending.lend(5.0, lambda each: each.info.transaction_status)
        assert status == psycopg.pq.TransactionStatus.IDLE
    assert len(made) == 3


def left_open(connection, statement):
    connection.execute("BEGIN")
    connection.execute(statement)
    raise ZeroDivisionError


def in_a_pipeline(connection):
    connection.pgconn.enter_pipeline_mode()


def in_a_transaction(connection):
    connection.execute("BEGIN")


@pytest.mark.parametrize("left", [in_a_pipeline, in_a_transaction])
def test_what_a_call_leaves_unfinished_is_not_taken_for_done(pool, left):
    lending, made = pool()
    with pytest.raises(psycopg.OperationalError, match="ended before its statements"):
        lending.lend(5.0, left)
    assert lending.lend(5.0, nothing) == (1,)
    assert len(made) == 2


def test_a_connection_that_was_lost_within_a_transaction_is_not_lent_again(pool, admin):
    lending, made = pool()

    def lose(connection):
        connection.execute("BEGIN")
        admin.execute("SELECT pg_terminate_backend(%s::int)", [connection.info.backend_pid])

    with pytest.raises(psycopg.OperationalError):
        lending.lend(5.0, lose)
    assert lending.lend(5.0, nothing) == (1,)
    assert len(made) == 2


def test_one_lost_connection_takes_the_idle_ones_with_it(pool):
    """They were lost with it most likely: no call has to find out for each."""
    lending, made = pool(min_size=3)
    lending.open(5.0)
    with pytest.raises(psycopg.OperationalError):
        lending.lend(5.0, lose_by_itself)
    assert lending.lend(5.0, nothing) == (1,)
    assert len(made) == 4


def lose_by_itself(connection):
    connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_connections_beyond_the_least_are_closed_once_they_are_idle_for_long(pool, monkeypatch):
    monkeypatch.setattr(connections, "_IDLE_SECONDS", 0.0)
    lending, _ = pool(max_size=3)
    with lending.connection(), lending.connection():
        pass
    assert len(lending._idle) == 1


def test_an_old_connection_is_replaced(pool, monkeypatch):
    monkeypatch.setattr(connections, "_LIFETIME", 0.0)
    lending, made = pool()
    for _ in range(2):
        lending.lend(5.0, nothing)
    assert len(made) == 2


def test_a_connection_that_is_given_back_after_the_end_is_closed(pool):
    lending, _ = pool()
    with lending.connection() as connection:
        lending.close()
    assert connection.closed


def test_one_who_waits_hears_of_the_end_at_once(pool, monkeypatch):
    monkeypatch.setattr(connections, "_POLL_SECONDS", 60.0)
    lending, _ = pool(max_size=1)
    with lending.connection(), ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(lending.lend, 30.0, nothing)
        time.sleep(0.05)
        lending.close()
        with pytest.raises(psycopg.Error):
            waiting.result(timeout=10)


def test_one_who_waits_for_those_who_cannot_connect_hears_why(pool):
    trying, done = Event(), Event()

    def connect():
        if not trying.is_set():
            trying.set()
            raise psycopg.OperationalError("connection refused")
        done.wait()
        raise psycopg.OperationalError("connection refused")

    lending, _ = pool(connect, max_size=1)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        lending.lend(5.0, nothing)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(lending.lend, 5.0, nothing)
        while not lending._loans:
            time.sleep(0.01)
        with pytest.raises(psycopg.OperationalError, match="refused") as caught:
            lending.lend(0.1, nothing)
        assert not isinstance(caught.value, PoolExhausted)
        done.set()
        assert first.exception().args == ("connection refused",)


def test_a_pipeline_that_is_struck_ends_with_its_connection(pool):
    lending, made = pool()

    def strike(connection):
        connection.pgconn.enter_pipeline_mode()
        connection.pgconn.send_query_params(b"SELECT pg_sleep(60)", [])
        raise Alarm

    began = time.monotonic()
    with pytest.raises(Alarm):
        lending.lend(5.0, strike)
    assert lending.lend(5.0, nothing) == (1,)
    assert time.monotonic() - began < 30
    assert len(made) == 2


def test_a_copy_that_is_struck_ends_with_its_connection(pool, admin, schema):
    lending, made = pool()
    admin.execute(f"CREATE SCHEMA {schema}")
    admin.execute(f"CREATE TABLE {schema}.copied (n int)")

    def strike(connection):
        connection.pgconn.send_query(f"COPY {schema}.copied FROM STDIN".encode())
        raise Alarm

    with pytest.raises(Alarm):
        lending.lend(5.0, strike)
    assert lending.lend(5.0, nothing) == (1,)
    assert len(made) == 2


def test_a_session_that_cannot_be_bounded_is_not_used(opened, monkeypatch):
    monkeypatch.setattr("storecore_postgres.database._set", lambda limits: "SET patience = 1")
    with pytest.raises(StorageError, match="connecting: unrecognized configuration"):
        opened()


class Alarm(Exception):
    """What a signal's handler of the user's raises, while a statement is under way."""


@pytest.mark.parametrize("kind", [Alarm, KeyboardInterrupt])
@pytest.mark.parametrize("moment", ["_is_idle", "_put_back", "_keep_idle", "_take"])
def test_whatever_strikes_within_the_pool_a_connection_is_free_afterwards(
    pool, monkeypatch, kind, moment
):
    lending, _ = pool(max_size=1)
    owner = connections if moment == "_is_idle" else Connections
    real, waiting = getattr(owner, moment), [kind]

    def struck(*args):
        result = real(*args) if moment == "_take" else None
        if waiting:
            raise waiting.pop()
        return result if moment == "_take" else real(*args)

    monkeypatch.setattr(owner, moment, struck)
    with pytest.raises(kind) as caught:
        lending.lend(5.0, nothing)
    assert lending.lend(5.0, nothing) == (1,)
    assert caught.value is not None  # and with it its traceback, all the while


def test_a_first_give_back_that_is_struck_is_made_up_for(pool, monkeypatch):
    lending, made = pool(max_size=1)
    real, waiting = Connections._give_back, [KeyboardInterrupt]

    def give_back(self, loan):
        if waiting:
            raise waiting.pop()
        real(self, loan)

    monkeypatch.setattr(Connections, "_give_back", give_back)
    with pytest.raises(KeyboardInterrupt):
        lending.lend(5.0, nothing)
    assert lending.lend(5.0, nothing) == (1,)
    assert len(made) == 1


@pytest.fixture
def blocked(admin, schema):
    """Wait until a session of the store waits for a lock."""

    def wait():
        asked = (
            "SELECT FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
        )
        while not admin.execute(asked, [schema]).fetchall():
            admin.execute("SELECT pg_stat_clear_snapshot()")
            time.sleep(0.01)

    return wait


def test_a_statement_whose_caller_was_struck_is_not_carried_out_later(
    store, admin, schema, blocked, monkeypatch, bar
):
    """As by the handler of an alarm: the driver cancels at a KeyboardInterrupt only."""
    real = psycopg.waiting.wait

    def wait(generator, *args, **options):
        monkeypatch.setattr(psycopg.waiting, "wait", real)
        next(generator)
        generator.send(psycopg.waiting.Ready.W)  # the statement is on its way
        blocked()
        raise Alarm

    with admin.transaction():
        admin.execute(f"LOCK TABLE {schema}.bars")
        monkeypatch.setattr(psycopg.waiting, "wait", wait)
        with ThreadPoolExecutor(1) as threads:
            assert isinstance(threads.submit(store.write_bars, "AAPL", [bar()]).exception(), Alarm)
    time.sleep(0.1)
    assert store.read_bars("AAPL", *ALL) == []


INTERRUPTED = """if True:
    import os, random, signal, sys, time
    from datetime import date, datetime, timedelta
    from threading import Thread
    from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar
    from storecore_postgres import PostgresDataStore
    from storecore_postgres.connections import Pool

    dsn, schema, seed, hits = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    drawn, day, ALL = random.Random(seed), datetime(2026, 1, 5), (date.min, date.max)

    class Alarm(Exception):
        pass

    fired, kinds = [], [Alarm, KeyboardInterrupt]

    def strike(*_):
        fired.append(1)
        raise drawn.choice(kinds)

    def of(store, n):
        decision = Decision("AAPL", Action.HOLD, 0, 0, str(n))
        sent = Order("v", "AAPL", "BUY", n + 1, "MARKET"), OrderResult("1", "filled")
        bars = [PriceBar("AAPL", day + timedelta(seconds=n), 1, 1, 1, 1, n)]
        event = Event("e", "AAPL", day, day, "test", {"n": n})
        rest = {"company_name": "", "cik": "1", "employees": n, "raw_xml": ""}
        filed = FundamentalData(symbol="AAPL", timestamp=day + timedelta(seconds=n), **rest)
        return [
            lambda: store.log_decision("v", decision),
            lambda: store.log_order("v", *sent),
            lambda: store.write_bars("AAPL", bars),
            lambda: store.write_event(event),
            lambda: store.write_fundamental("AAPL", filed),
            lambda: store.save_strategy_state(f"s{n}", {"n": n}),
        ]

    def there(store):
        found = [
            [int(each.decision.reasoning) for each in store.read_decisions(*ALL)],
            [each.order.quantity - 1 for each in store.read_orders(*ALL)],
            [each.volume for each in store.read_bars("AAPL", *ALL)],
            [each.payload["n"] for each in store.read_events(*ALL)],
            [each.employees for each in store.iter_fundamentals()],
            [int(name[1:]) for name in store.strategies()],
        ]
        return [(kind, n) for kind, numbers in enumerate(found) for n in numbers]

    signal.signal(signal.SIGALRM, strike)
    store = PostgresDataStore(dsn, schema=schema, pool=Pool(max_size=2, timeout=10))
    other = PostgresDataStore(dsn, schema=schema, pool=Pool(max_size=1, timeout=60))
    stopped = False

    def meanwhile():  # somebody else has the locks that calls wait for
        while not stopped:
            other.log_decision("other", Decision("AAPL", Action.HOLD, 0, 0, "-1"))
            time.sleep(0.001)

    thread = Thread(target=meanwhile, daemon=True)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGALRM})
    thread.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGALRM})
    written, struck, took, n = [], 0, [0.005] * 6, 0
    slowest = 0.0
    while struck < hits:
        kind, n = n % 6, n + 1
        began = time.monotonic()
        write = of(store, n)[kind]
        try:
            signal.setitimer(signal.ITIMER_REAL, drawn.uniform(0.00001, 1.2 * took[kind]))
            write()
            signal.setitimer(signal.ITIMER_REAL, 0)
            written.append((kind, n))
            took[kind] = 0.9 * took[kind] + 0.1 * (time.monotonic() - began)
        except BaseException as error:  # whose traceback is held meanwhile
            signal.setitimer(signal.ITIMER_REAL, 0)
            if not fired:
                raise
            fired.clear()  # pyarrow makes an error of its own of an Exception that strikes it
            struck += 1
            began = time.monotonic()
            kind, n = drawn.randrange(6), n + 1
            of(store, n)[kind]()
            slowest = max(slowest, time.monotonic() - began)
            written.append((kind, n))
    soon = there(store)
    stopped = True
    thread.join()
    time.sleep(0.5)
    late = there(store)
    numbers = [each for each in late if each[1] >= 0]
    assert [each for each in soon if each[1] >= 0] == numbers, "carried out later"
    assert len(set(numbers)) == len(numbers), "done twice"
    assert set(written) <= set(numbers), "lost"
    assert slowest < 5, f"a write waited for {slowest} s"
    assert store.verify().ok
    for each in (store, other):
        each.close()
    print("held", len(numbers) - len(written), flush=True)
"""


@pytest.mark.parametrize("hits", [60, pytest.param(2_000, marks=pytest.mark.soak)])
def test_d2_random_signals_lock_nobody_out_and_nothing_is_carried_out_later(
    place, script, schema, hits
):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    process = script(INTERRUPTED, place["dsn"], schema, seed, hits, traced=False)
    said, _ = process.communicate(timeout=30 + hits)
    print(said)
    assert said.startswith("held ")
    assert process.returncode == 0


@pytest.mark.parametrize("log", ["decisions", "bars"])
def test_a_call_behind_a_table_lock_is_bounded_and_says_so(
    opened, admin, schema, bar, decision, log
):
    with opened(pool=Pool(timeout=0.3)) as store, admin.transaction():
        store.log_decision("value", decision())
        admin.execute(f"LOCK TABLE {schema}.{log}")
        pid = admin.info.backend_pid
        calls = {
            "decisions": [lambda: store.log_decision("value", decision()), store.verify_audit],
            "bars": [lambda: store.write_bars("AAPL", [bar()]), store.symbols, store.compact],
        }
        for call in calls[log]:
            began = time.monotonic()
            with pytest.raises(LockTimeout, match=rf"for 0.3 seconds \(pid .*{pid}") as at:
                call()
            assert time.monotonic() - began < 5
            assert "nothing was written; end that session's transaction" in str(at.value)


def test_opening_behind_a_table_lock_is_bounded_too(opened, admin, schema):
    opened().close()
    with admin.transaction():
        admin.execute(f"LOCK TABLE {schema}.about")
        with pytest.raises(LockTimeout, match=r"opening the schema .*another session has held"):
            opened(pool=Pool(timeout=0.2))


def test_who_holds_a_lock_is_left_open_if_nobody_can_be_asked(
    opened, admin, schema, monkeypatch, tmp_path
):
    with opened(pool=Pool(timeout=0.2)) as store, admin.transaction():
        admin.execute(f"LOCK TABLE {schema}.bars")
        monkeypatch.setattr(store._database, "_dsn", f"host={tmp_path}")
        with pytest.raises(LockTimeout, match=r"for 0.2 seconds; nothing was written"):
            store.symbols()


def test_a_lock_that_is_let_go_in_time_is_waited_for(store, admin, schema, blocked, bar):
    with ThreadPoolExecutor(1) as threads:
        with admin.transaction():
            admin.execute(f"LOCK TABLE {schema}.bars")
            writing = threads.submit(store.write_bars, "AAPL", [bar()])
            blocked()
        writing.result()
    assert len(store.read_bars("AAPL", *ALL)) == 1


AWAY = [2.0, pytest.param(70.0, marks=pytest.mark.soak)]


@pytest.mark.parametrize("seconds", AWAY)
def test_a_server_that_was_away_is_used_within_a_second_of_its_return(
    opened, postgres_server, event, seconds
):
    with opened(pool=Pool(timeout=0.5)) as store, ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: store.write_event(event()), range(8)))
        postgres_server.kill()
        try:
            gone, failures = time.monotonic() + seconds, []
            while time.monotonic() < gone:
                failures += threads.map(lambda _: failure(store.write_event, event()), range(4))
        finally:
            postgres_server.start()
        back = time.monotonic()
        while failure(store.write_event, event()) is not None:
            assert time.monotonic() - back < 1
        assert len(store.read_events(*ALL)) == 9
    told = {str(each) for each in failures}
    assert all("the database cannot be reached: " in each for each in told), told


def failure(call, *args):
    """Return what a call raises."""
    try:
        call(*args)
    except StorageError as error:
        return error
    return None


def test_a_call_that_is_waiting_for_a_server_goes_on_within_a_second_of_its_return(
    opened, postgres_server, event
):
    with opened(pool=Pool(timeout=30)) as store, ThreadPoolExecutor(1) as threads:
        postgres_server.kill()
        try:
            writing = threads.submit(store.write_event, event())
            time.sleep(4)
        finally:
            postgres_server.start()
        began = time.monotonic()
        writing.result(timeout=30)
        assert time.monotonic() - began < 1.5
        assert len(store.read_events(*ALL)) == 1


@pytest.fixture
def pooled(postgres_server, place, schema):
    """Start PgBouncer before the tests' server; return the dsn of it."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("PgBouncer is not installed")
    folder = postgres_server.folder / schema
    folder.mkdir()
    (folder / "users").write_text('"postgres" ""\n')
    rules = f"""
[databases]
postgres = host={postgres_server.data}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
unix_socket_mode = 0777
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 2
"""
    (folder / "settings").write_text(rules)
    user = "nobody" if os.geteuid() == 0 else None
    if os.geteuid() == 0:  # which it refuses to run as
        shutil.chown(folder, "nobody")
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [program, "-q", folder / "settings"], user=user, stdout=log, stderr=log
    )
    dsn = make_conninfo(place["dsn"], host=str(folder), port=6432)
    while failure_to_connect(dsn):
        assert process.poll() is None, "PgBouncer has ended"
        time.sleep(0.02)
    yield dsn
    process.terminate()
    process.wait()
    log.close()


def failure_to_connect(dsn):
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError as error:
        return error
    return None


def at_once(store, event):
    """Write from threads, so that a pooler deals out several connections of the server."""
    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            list(threads.map(lambda _: store.write_event(event()), range(8)))


def test_a_pooler_that_loses_prepared_statements_is_named_with_the_option(pooled, opened, event):
    with (
        opened(dsn=pooled) as store,
        pytest.raises(StorageError, match=r'PgBouncer.*prepare_threshold="never"'),
    ):
        at_once(store, event)


def test_behind_a_pooler_nothing_is_prepared_where_asked(pooled, opened, event, decision):
    with opened(dsn=pooled, prepare_threshold=None) as store:
        at_once(store, event)
        store.log_decision("value", decision())
        assert len(store.read_events(*ALL)) == 160
        assert store.verify().ok
