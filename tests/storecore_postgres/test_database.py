"""Connections lost between calls, inside calls and at the commit: no write is lost or doubled."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from itertools import count
from threading import Thread

import psycopg
import pytest

from storecore import StateConflict, StorageError
from storecore.states import KEPT_VERSIONS
from storecore_postgres.database import Pool, _close_all, _Transaction

ALL = date.min, date.max
JAN_5 = datetime(2026, 1, 5)
KINDS = ["event", "events", "state", "decision", "orders", "bars", "fundamental", "deletion"]


@pytest.fixture
def write(bar, event, decision, sent, fundamental):
    """Write one thing of a kind into a store."""

    def write(store, kind):
        if kind == "event":
            store.write_event(event())
        elif kind == "events":
            store.write_events([event(), event(type="b")])
        elif kind == "state":
            store.save_strategy_state("value", {"cash": 1})
        elif kind == "decision":
            store.log_decision("value", decision())
        elif kind == "orders":
            store.log_orders("value", [sent(), sent()])
        elif kind == "bars":
            store.write_bars("AAPL", [bar()])
        elif kind == "fundamental":
            store.write_fundamental("AAPL", fundamental())
        else:
            assert store.delete_bars("AAPL", *ALL) == 0

    return write


EXPECTED = {
    "event": {"events": 1},
    "events": {"events": 2},
    "state": {"versions": 1},
    "decision": {"decisions": 1},
    "orders": {"orders": 2},
    "bars": {"bars": 1},
    "fundamental": {"fundamentals": 1},
    "deletion": {},
}


def held(store):
    """Return how much of each kind a store has."""
    counted = {
        "events": store.read_events(*ALL),
        "versions": store.state_history("value"),
        "decisions": store.read_decisions(*ALL),
        "orders": store.read_orders(*ALL),
        "bars": store.read_bars("AAPL", *ALL),
        "fundamentals": list(store.iter_fundamentals()),
    }
    assert store.verify_audit().ok
    return {name: len(found) for name, found in counted.items() if found}


@pytest.mark.parametrize("kind", KINDS)
def test_connections_that_are_lost_between_calls_are_made_anew(store, terminate, write, kind):
    assert terminate() >= 1
    write(store, kind)
    assert held(store) == EXPECTED[kind]


TABLES = {"event": "events", "state": "states", "decision": "decisions", "bars": "bars"}


@pytest.mark.parametrize("kind", TABLES)
def test_a_connection_that_is_lost_within_a_call_is_made_anew(
    store, admin, schema, terminate, write, kind
):
    with ThreadPoolExecutor(1) as threads:
        with admin.transaction():
            admin.execute(f"LOCK TABLE {schema}.{TABLES[kind]}")
            writing = threads.submit(write, store, kind)
            while not admin.execute(
                "SELECT FROM pg_stat_activity WHERE application_name = %s "
                "AND wait_event_type = 'Lock'",
                [schema],
            ).fetchall():
                time.sleep(0.01)
                admin.execute("SELECT pg_stat_clear_snapshot()")
            terminate()
        writing.result()
    assert held(store) == EXPECTED[kind]


EXACTLY_ONCE = [kind for kind in KINDS if kind not in ("bars", "fundamental", "deletion")]


@pytest.mark.parametrize("kind", EXACTLY_ONCE)
def test_a_commit_that_was_not_carried_out_is_done_again(
    store, admin, at_commit, terminate, write, kind
):
    def commit(connection, send):
        terminate()
        send()

    at_commit(commit)
    write(store, kind)
    assert held(store) == EXPECTED[kind]


def lost_after_commit(connection, send):
    """The commit is carried out, and nobody hears of it."""
    send()
    connection.close()
    raise psycopg.OperationalError("server closed the connection unexpectedly")


@pytest.mark.parametrize("kind", EXACTLY_ONCE)
def test_a_commit_that_was_carried_out_is_not_done_again(store, at_commit, write, kind):
    at_commit(lost_after_commit)
    write(store, kind)
    assert held(store) == EXPECTED[kind]


def lost_before(connection, send):
    """The statement is not carried out."""
    connection.close()
    raise psycopg.OperationalError("server closed the connection unexpectedly")


@pytest.mark.parametrize("instead", [lost_after_commit, lost_before])
def test_a_record_that_follows_in_one_statement_is_there_once(store, at_commit, write, instead):
    write(store, "decision")
    at_commit(instead, "WITH moved")
    write(store, "decision")
    write(store, "decision")
    assert held(store) == {"decisions": 3}


def test_a_record_follows_what_others_have_logged_meanwhile(store, opened, write):
    with opened() as other:
        for each in (store, other, store, store, other):
            write(each, "decision")
    assert held(store) == {"decisions": 5}


def test_a_deletion_that_was_carried_out_still_tells_how_many(store, at_commit, bar):
    store.write_bars("AAPL", [bar()])
    at_commit(lost_after_commit)
    assert store.delete_bars("AAPL", *ALL) == 1
    assert store.read_bars("AAPL", *ALL) == []


def test_a_state_that_was_outlived_meanwhile_is_not_saved_again(store, opened, at_commit):
    def commit(connection, send):
        send()
        with opened() as other:
            for number in range(KEPT_VERSIONS + 2):
                other.save_strategy_state("value", {"number": number})
        connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    at_commit(commit)
    store.save_strategy_state("value", {"number": -1}, expect=0)
    assert store.load_strategy_state("value") == {"number": KEPT_VERSIONS + 1}


def test_a_commit_that_still_runs_is_waited_for(no_cluster, store, admin, schema, at_commit, event):
    admin.execute(
        f"CREATE FUNCTION {schema}.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM pg_sleep(0.3); RETURN NULL; END $$"
    )
    admin.execute(
        f"CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON {schema}.events DEFERRABLE "
        f"INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {schema}.slow()"
    )

    def commit(connection, send):
        connection.pgconn.send_query(b"COMMIT")  # and go, while the server is at it
        connection.pgconn.flush()
        connection.close()
        raise psycopg.OperationalError("timeout")

    at_commit(commit)
    store.write_event(event())
    assert len(store.read_events(*ALL)) == 1


def test_a_commit_of_which_nobody_can_be_asked_is_reported_as_not_known(
    opened, at_commit, monkeypatch, event
):
    def commit(connection, send):
        monkeypatch.setattr(store._database, "_timeout", 0.2)
        monkeypatch.setattr(store._database._pool, "lend", out_of_reach)
        lost_after_commit(connection, send)

    def out_of_reach(timeout, use):
        raise psycopg.OperationalError("connection refused")

    with opened() as store:
        at_commit(commit)
        with pytest.raises(
            StorageError,
            match=r"writing events of type .news.: the connection was lost at the commit.*0.2 sec"
            r".*read the data back before you write it again",
        ):
            store.write_event(event())
        monkeypatch.undo()
        assert len(store.read_events(*ALL)) == 1


def test_a_question_that_the_server_refuses_is_no_answer(opened, at_commit, monkeypatch, event):
    def commit(connection, send):
        monkeypatch.setattr(store._database._pool, "lend", refuse)
        lost_after_commit(connection, send)

    def refuse(timeout, use):
        raise psycopg.errors.InsufficientPrivilege

    with opened() as store:
        at_commit(commit)
        with pytest.raises(StorageError, match="lost at the commit"):
            store.write_event(event())


@pytest.mark.parametrize("kind", EXACTLY_ONCE)
def test_a_crash_that_gives_the_number_of_a_lost_transaction_to_another_loses_nothing(
    opened, at_commit, postgres_server, write, kind
):
    """The server forgets what it had not written yet, and with it that the number was taken."""
    reused = []

    def commit(connection, send):
        ((number,),) = connection.execute("SELECT pg_current_xact_id()::text").fetchall()
        postgres_server.kill()
        postgres_server.start()
        with psycopg.connect(postgres_server.dsn, autocommit=True) as other:
            for _ in range(100):
                ((taken,),) = other.execute("SELECT pg_current_xact_id()::text").fetchall()
                if int(taken) >= int(number):
                    break
        reused.append(taken == number)
        send()

    with opened(pool=Pool(timeout=20)) as store:
        at_commit(commit)
        write(store, kind)
        assert reused == [True]
        assert held(store) == EXPECTED[kind]


def test_a_number_that_no_transaction_has_had_is_one_that_was_lost(store):
    database = store._database
    never = str(2**62 + 1_000)
    transaction = _Transaction(lambda connection: None)
    transaction.number, transaction.result = never, None
    assert database._was_committed("writing", transaction, lambda *_: True) is False


def begun_by_nobody(connection, send):
    """The statements of the pipeline are a transaction by themselves, without this one."""
    return connection.execute("SELECT")


def rolled_back(connection, send):
    """As the server answers a COMMIT of a transaction that has failed: without an error."""
    return connection.execute("ROLLBACK")


@pytest.mark.parametrize(("instead", "of"), [(begun_by_nobody, "BEGIN"), (rolled_back, "COMMIT")])
@pytest.mark.parametrize("kind", EXACTLY_ONCE)
def test_only_what_the_server_says_it_has_committed_is_taken_for_committed(
    store, at_commit, write, kind, instead, of
):
    at_commit(instead, of)
    write(store, kind)
    assert held(store) == EXPECTED[kind]


class Alarm(Exception):
    """What a signal's handler of the user's raises, while a statement is under way."""


@pytest.fixture
def struck_at_each_wait(monkeypatch):
    """Call something again and again, struck before or after each wait of the driver in turn."""
    real = psycopg.Connection.wait

    def strike_each(call, kind, is_before):
        for step in count(1):
            waits = count(1)

            def wait(self, generator, *args, waits=waits, step=step, **options):
                strikes = next(waits) == step
                if strikes and is_before:
                    raise kind
                result = real(self, generator, *args, **options)
                if strikes:
                    raise kind
                return result

            monkeypatch.setattr(psycopg.Connection, "wait", wait)
            try:
                call()
            except kind:
                pass
            finally:
                monkeypatch.setattr(psycopg.Connection, "wait", real)
            if next(waits) <= step:
                return
            yield step

    return strike_each


@pytest.mark.few(12)
@pytest.mark.parametrize("kind", [Alarm, KeyboardInterrupt])
@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("struck", KINDS)
def test_d1_a_write_after_one_that_was_struck_is_kept(
    store, opened, write, bar, event, struck_at_each_wait, struck, kind, is_before
):
    """The next write is one statement: it would not notice a transaction that was left open."""
    write(store, struck)  # so that the log's end is known
    days = 0
    for _ in struck_at_each_wait(lambda: write(store, struck), kind, is_before):
        days += 1
        store.write_bars("NEXT", [bar(JAN_5 + timedelta(days), symbol="NEXT")])
        store.write_event(event(type=f"next {days}"))
    with opened() as other:
        assert len(other.read_bars("NEXT", *ALL)) == days > 0
        assert len({each.type for each in other.read_events(*ALL) if "next" in each.type}) == days


def test_a_conflict_of_states_keeps_the_connection(store):
    def session():
        ((pid,),) = store._database.rows("asking", "SELECT pg_backend_pid()", [])
        return pid

    before = session()
    with pytest.raises(StateConflict):
        store.save_strategy_state("value", {"cash": 2}, expect=7)
    assert session() == before


def test_an_error_that_is_the_callers_own_leaves_no_transaction_open(store, opened):
    store.save_strategy_state("value", {"cash": 1})
    with pytest.raises(StateConflict):
        store.save_strategy_state("value", {"cash": 2}, expect=7)
    with store._database._pool.connection() as connection:
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    store.save_strategy_state("value", {"cash": 3}, expect=1)


FORKING = """if True:
    import os, sys
    from datetime import date, datetime
    from storecore import Action, Decision, PriceBar
    from storecore_postgres import PostgresDataStore

    store = PostgresDataStore(sys.argv[1], schema=sys.argv[2])
    ALL = date.min, date.max

    def write(number):
        day = datetime(2026, 1, 1 + number)
        store.write_bars("AAPL", [PriceBar("AAPL", day, 1.0, 1.0, 1.0, 1.0, number)])
        store.log_decision(str(number), Decision("AAPL", Action.HOLD, 0, 0, "test"))

    write(0)
    with store._logs["decisions"]._lock:  # as a thread of the parent may have it
        children = []
        for number in range(1, 4):
            child = os.fork()
            if not child:
                write(number)
                os._exit(0 if store.read_bars("AAPL", *ALL) else 1)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    write(4)
    print(codes, len(store.read_bars("AAPL", *ALL)), len(store.read_decisions(*ALL)), flush=True)
    store.close()
    if not os.fork():
        store._database.after_fork()  # of a store that is closed: it stays so
        os._exit(0)
"""


def test_a_forked_child_has_connections_of_its_own(place, script):
    process = script(FORKING, place["dsn"], place["schema"], traced=False)
    assert process.communicate(timeout=60)[0] == "[0, 0, 0] 5 5\n"


@pytest.mark.parametrize("closed", [False, True])
def test_what_a_child_begins_anew(opened, closed):
    store = opened()
    database, turn = store._database, store._logs["decisions"]._lock
    of_parent = database._pool
    if closed:
        store.close()
    database.after_fork()  # what is called after a fork: here it is what a child would have
    store._logs["decisions"].after_fork()
    assert database._pool is not of_parent
    assert database._pool.closed is closed
    assert store._logs["decisions"]._lock is not turn
    store.close()
    of_parent.close()


UNCLOSED = """if True:
    import sys
    import time
    from datetime import datetime
    from storecore import PriceBar
    from storecore_postgres import PostgresDataStore
    store = PostgresDataStore(sys.argv[1], schema=sys.argv[2])
    store.write_bars("A", [PriceBar("A", datetime(2026, 1, 5), 1.0, 1.0, 1.0, 1.0, 1)])
    print(time.monotonic())
"""


def test_a_script_that_does_not_close_its_store_ends_at_once_and_without_a_word(place):
    command = [sys.executable, "-c", UNCLOSED, place["dsn"], place["schema"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    ended, (last,) = time.monotonic(), done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert ended - float(last) < 15  # of the whole script a busy machine may take more


def test_the_end_of_a_program_closes_what_is_open(opened):
    store = opened()
    _close_all()
    assert store._database._pool.closed


def test_a_stream_that_goes_on_after_the_store_was_closed_says_so(opened, event):
    store = opened()
    store.write_events([event()] * 3)
    events = store.iter_events()
    assert next(events).type == "news"
    Thread(target=store.close).start()
    with pytest.raises(RuntimeError, match="closed"):
        Counter(each.type for each in _slowly(events))


def _slowly(items):
    for item in items:
        yield item
        time.sleep(0.3)
