"""The audit log: writers take turns, and tampering is detected."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import chain

import psycopg
import pytest

from storecore import InvalidName
from storecore.errors import CorruptData
from storecore_file import FileDataStore
from storecore_file.audit import log as audit
from storecore_postgres.audit import log as audit_log
from storecore_postgres.rows import PAGE

ALL = date.min, date.max


@pytest.fixture
def logged(store, decision):
    """Log six decisions."""
    for number in range(6):
        store.log_decision("value", decision(reasoning=f"reason {number}"))


@pytest.fixture
def tamper(admin, schema, layout):
    """Do as who disables the guard of the log; {log} stands for its table."""

    def do(*statements):
        if layout != "citus":  # which has no triggers
            admin.execute(f"ALTER TABLE {schema}.decisions DISABLE TRIGGER ALL")
        for statement in statements:
            admin.execute(
                statement.format(log=f"{schema}.decisions", heads=f"{schema}.audit_heads")
            )

    return do


def kinds(store):
    return [(each.kind, each.place) for each in store.verify_audit().findings]


@pytest.mark.parametrize(
    ("change", "kind", "line"),
    [
        ("UPDATE {log} SET record = replace(record::text, 'n 3', 'n 9')::json WHERE seq = 4",
         "edited", ", line 4"),
        ("UPDATE {log} SET record = '{{}}' WHERE seq = 4", "edited", ", line 4"),
        ("DELETE FROM {log} WHERE seq = 3", "missing", ", line 3"),
        ("DELETE FROM {log} WHERE seq > 4", "truncated", ""),
        ("DELETE FROM {log}", "truncated", ""),
        ("DELETE FROM {heads} WHERE log = 'decisions'", "headless", ""),
        ("INSERT INTO {log} SELECT 7, day, strategy, logged_at, record FROM {log} WHERE seq = 2",
         "duplicated", ", line 7"),
        ("UPDATE {log} SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3); "
         "UPDATE {log} SET seq = -seq WHERE seq < 0", "reordered", ", line 2"),
        ("UPDATE {heads} SET hash = repeat('0', 64)", "edited", ", line 6"),
        ("UPDATE {log} SET strategy = 'other' WHERE seq = 5", "edited", ", seq 5"),
        ("UPDATE {log} SET logged_at = logged_at - interval '1 day' WHERE seq = 5",
         "edited", ", seq 5"),
        ("UPDATE {log} SET seq = 60 WHERE seq = 6", "edited", ", seq 60"),
    ],
)  # fmt: skip
def test_a3_what_was_tampered_with_is_found(
    request, store, logged, tamper, schema, change, kind, line
):
    if "strategy = 'other'" in change or "interval" in change:
        request.getfixturevalue("no_cluster")
    assert kinds(store) == []
    tamper(change)
    assert kinds(store) == [(kind, f'"{schema}".decisions{line}')]
    assert not store.verify().ok


@pytest.fixture
def pages_of_two(monkeypatch):
    """Read two rows of a log at a time."""
    statement = audit_log._AFTER.replace(str(PAGE), "2")
    assert statement != audit_log._AFTER
    monkeypatch.setattr(audit_log, "_AFTER", statement)


@pytest.mark.parametrize(
    ("change", "kind", "line"),
    [
        ("UPDATE {log} SET record = '{{}}' WHERE seq = 4", "edited", ", line 4"),
        ("DELETE FROM {log} WHERE seq = 3", "missing", ", line 3"),
        ("DELETE FROM {log} WHERE seq > 4", "truncated", ""),
        ("INSERT INTO {log} SELECT 7, day, strategy, logged_at, record FROM {log} WHERE seq = 2",
         "duplicated", ", line 7"),
        ("UPDATE {log} SET seq = CASE seq WHEN 2 THEN -5 ELSE -2 END WHERE seq IN (2, 5); "
         "UPDATE {log} SET seq = -seq WHERE seq < 0", "reordered", ", line 2"),
        ("UPDATE {heads} SET hash = repeat('0', 64)", "edited", ", line 6"),
        ("UPDATE {log} SET seq = 60 WHERE seq = 6", "edited", ", seq 60"),
    ],
)  # fmt: skip
def test_a3_what_was_tampered_with_is_found_over_pages(
    pages_of_two, store, logged, tamper, schema, change, kind, line
):
    tamper(change)
    assert kinds(store) == [(kind, f'"{schema}".decisions{line}')]


def test_to_verify_a_log_holds_one_page_of_it(pages_of_two, store, decision, monkeypatch):
    store.log_decisions("value", [decision()] * 9)
    windows, real = [], audit_log._Table.window

    def window(self, at):
        windows.append(real(self, at)[0].count(b"\n"))
        return real(self, at)

    monkeypatch.setattr(audit_log._Table, "window", window)
    assert store.verify_audit().checked == 9
    assert max(windows) == 2


def test_to_verify_a_log_reads_each_page_once(pages_of_two, store, decision, monkeypatch):
    store.log_decisions("value", [decision()] * 9)
    read, real = [], audit_log.PostgresLog._page_after

    def page_after(self, seq):
        read.append((self.name, seq))
        return real(self, seq)

    monkeypatch.setattr(audit_log.PostgresLog, "_page_after", page_after)
    store.verify_audit()
    assert [seq for name, seq in read if name == "decisions"] == [0, 2, 4, 6, 8, 9]


def test_a_record_that_was_edited_is_not_read_as_if_it_were_none(store, logged, tamper):
    tamper("UPDATE {log} SET record = '{{\"seq\":4}}' WHERE seq = 4")
    with pytest.raises(CorruptData, match=r"decisions, seq 4: "):
        store.read_decisions(*ALL)


def test_a_log_without_its_head_goes_on_and_a_cut_that_it_may_hide_stays_a_finding(
    store, opened, logged, tamper, decision
):
    tamper("DELETE FROM {heads} WHERE log = 'decisions'")
    store.log_decision("value", decision())
    with opened() as other:
        other.log_decision("value", decision())
    assert [each.seq for each in store.read_decisions(*ALL)] == list(range(1, 9))
    (finding,) = store.verify_audit().findings
    assert finding.kind == "headless"
    assert "records may have been cut off before record 7" in finding.detail


def test_an_empty_log_without_its_head_may_have_had_records(store, tamper, decision, schema):
    tamper("DELETE FROM {heads}")
    store.log_decision("value", decision())
    assert kinds(store) == [("headless", f'"{schema}".{log}') for log in ("decisions", "orders")]


SET_BACK = [
    "UPDATE {heads} SET seq = 0, hash = '' WHERE log = 'decisions'",
    "UPDATE {heads} SET (seq, hash) = (SELECT 4, record->>'hash' FROM {log} WHERE seq = 4) "
    "WHERE log = 'decisions'",
]


@pytest.mark.parametrize("set_back", SET_BACK)
def test_a_head_behind_its_log_is_a_finding_that_the_next_record_heals(
    store, opened, logged, tamper, decision, sent, schema, set_back
):
    store.log_order("value", *sent())
    tamper(set_back)
    (finding,) = store.verify().findings
    assert (finding.kind, finding.place) == ("behind", f'"{schema}".decisions')
    assert "goes up to record 6: restored without it?" in finding.detail
    with opened() as other:
        other.log_decision("value", decision())
    store.log_decision("value", decision())
    store.log_order("value", *sent())
    assert [each.seq for each in store.read_decisions(*ALL)] == list(range(1, 9))
    assert store.verify().ok


@pytest.mark.parametrize("set_back", SET_BACK)
def test_a_store_that_was_open_meanwhile_goes_on_too(store, logged, tamper, decision, set_back):
    tamper(set_back)
    store.log_decision("value", decision())
    assert kinds(store) == []


@pytest.mark.parametrize("of_another", [False, True])
def test_records_that_came_in_beneath_a_head_that_did_not_move_are_gone_on_from(
    store, opened, tamper, admin, decision, schema, of_another
):
    """A table restored under an open store, which knows where the chain ended."""
    store.log_decision("value", decision())
    asked = f"SELECT seq, hash FROM {schema}.audit_heads WHERE log = 'decisions'"
    ((seq, end),) = admin.execute(asked).fetchall()
    with opened() as other:
        other.log_decisions("value", [decision()] * 3)
    tamper(f"UPDATE {{heads}} SET seq = {seq}, hash = '{end}' WHERE log = 'decisions'")
    if of_another:
        store._logs["decisions"]._end = None  # as of a cluster, which has no shorter way
    store.log_decision("value", decision())
    assert store.verify_audit().checked == 5
    assert kinds(store) == []


def test_records_of_another_store_go_on_behind_a_head_that_was_set_back(
    store, logged, tamper, opened, admin
):
    lines = list(store.iter_audit("decisions"))
    with opened(schema="further") as other:
        other.append_audit("decisions", lines[0].day, [each.line for each in lines[:4]])
        admin.execute("UPDATE further.audit_heads SET seq = 0, hash = '' WHERE log = 'decisions'")
        other.append_audit("decisions", lines[0].day, [each.line for each in lines[4:]])
        assert other.verify_audit() == store.verify_audit()
    admin.execute("DROP SCHEMA further CASCADE")


def test_a_head_that_names_a_record_of_another_log_leaves_a_doubt(store, opened, logged, tamper):
    tamper("UPDATE {heads} SET seq = 4, hash = repeat('0', 64) WHERE log = 'decisions'")
    assert [kind for kind, _ in kinds(store)] == ["edited"]
    with opened() as other:
        assert other.repair().actions != ()
    assert [kind for kind, _ in kinds(store)] == ["headless"]


@pytest.mark.parametrize("cut", [3, 0])
def test_a_cut_tail_stays_a_finding_when_it_is_written_on(
    store, opened, logged, tamper, decision, cut
):
    tamper(f"DELETE FROM {{log}} WHERE seq > {cut}")
    assert [kind for kind, _ in kinds(store)] == ["truncated"]
    assert store.repair().actions == ()
    for each in (store, opened()):
        each.log_decision("value", decision())
        assert [kind for kind, _ in kinds(store)] == ["missing"]
    each.close()
    assert [each.seq for each in store.read_decisions(*ALL)][-2:] == [7, 8]


@pytest.mark.parametrize("log", ["decisions", "orders"])
def test_a_repair_heals_the_head_of_each_log_by_itself(store, logged, tamper, schema, sent, log):
    store.log_order("value", *sent())
    tamper(f"UPDATE {{heads}} SET seq = 0, hash = '' WHERE log = '{log}'")
    before = store.verify()
    last = {"decisions": 6, "orders": 1}[log]
    did = f'set the head of "{schema}".{log} to record {last}'
    planned = store.repair(dry_run=True)
    assert planned.actions == (f"would {did}",)
    assert planned.findings == before.findings
    repaired = store.repair()
    assert (repaired.ok, repaired.actions) == (True, (did,))
    assert store.repair().actions == ()


def test_a_repair_of_which_nobody_hears_that_it_was_done_is_reported_once(
    store, logged, tamper, at_commit
):
    def lost_after_commit(connection, send):
        send()
        connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    tamper(SET_BACK[0])
    at_commit(lost_after_commit)
    assert store.repair().ok


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ("UPDATE {log} SET record = replace(record::text, 'n 5', 'n 9')::json WHERE seq = 6",
         "seq 6: the line does not match its hash"),
        ("UPDATE {log} SET seq = 60 WHERE seq = 6",
         "seq 60: its record has number 6"),
    ],
)  # fmt: skip
def test_nothing_goes_on_from_a_last_record_that_is_damaged(
    store, opened, logged, tamper, decision, change, wrong
):
    tamper(change, SET_BACK[0])
    with opened() as other, pytest.raises(CorruptData, match=wrong):
        other.log_decision("value", decision())
    assert len(list(store.iter_audit("decisions"))) == 6


def test_two_that_find_no_head_make_one(store, opened, logged, tamper, decision):
    tamper("DELETE FROM {heads} WHERE log = 'decisions'")
    others = [opened() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda each: each.log_decision("value", decision()), others))
    for each in others:
        each.close()
    assert [each.seq for each in store.read_decisions(*ALL)] == list(range(1, 11))


def test_an_error_that_is_not_the_numbers_is_raised_as_it_is(
    store, logged, admin, schema, decision
):
    store.log_decision("value", decision())
    admin.execute(f"DROP TABLE {schema}.decisions")
    for _ in range(2):
        with pytest.raises(OSError, match=r"logging decisions: .*a table is missing"):
            store.log_decision("value", decision())


class Frozen(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime(2026, 1, 5, 12, 30, 0, 123456, UTC)


def test_its_chain_is_that_of_files_byte_for_byte(store, monkeypatch, tmp_path, decision, sent):
    for module in (audit, audit_log):
        monkeypatch.setattr(module, "datetime", Frozen)
    with FileDataStore(tmp_path) as files:
        for each in (files, store):
            each.log_decision("Ünï\\ \"'", decision(reasoning="\0\u2028 €"))
            each.log_decisions("value", [decision(confidence=0.1), decision()])
            each.log_orders("value", [sent(quantity=1.5), sent()])
        for log in ("decisions", "orders"):
            (file,) = (tmp_path / "audit" / log).glob("*.jsonl")
            lines = file.read_bytes().splitlines(keepends=True)
            assert [each.line for each in store.iter_audit(log)] == lines
            assert [each.day for each in store.iter_audit(log)] == [
                each.day for each in files.iter_audit(log)
            ]
        assert store.verify_audit() == files.verify_audit()


def test_the_server_can_look_into_a_record(store, logged, admin, schema):
    asked = f"SELECT record->'decision'->>'reasoning' FROM {schema}.decisions WHERE seq = 3"
    assert admin.execute(asked).fetchone() == ("reason 2",)


def test_records_are_found_by_strategy_and_time(store, decision, sent):
    store.log_decision("value", decision())
    store.log_decisions("growth", [decision()] * 2)
    store.log_order("value", *sent())
    assert [each.seq for each in store.read_decisions(*ALL, "growth")] == [2, 3]
    assert store.read_decisions(date(2000, 1, 1), date(2000, 1, 2)) == []
    assert [each.seq for each in store.read_orders(*ALL)] == [1]


@pytest.mark.parametrize("name", ["", "a\0", "\ud800"])
def test_a_strategy_that_is_no_name_is_refused(store, name):
    with pytest.raises(InvalidName):
        store.read_decisions(*ALL, name)


def test_an_empty_batch_logs_nothing(store):
    store.log_decisions("value", [])
    store.log_orders("value", [])
    store.append_audit("orders", date(2026, 1, 5), [])
    assert store.verify_audit().checked == 0


def test_records_of_another_store_arrive_with_their_hashes_and_days(store, logged, opened, admin):
    lines = list(store.iter_audit("decisions"))
    with opened(schema="other") as other:
        days = [lines[0].day - timedelta(1)] * 4 + [lines[0].day] * 2
        other.append_audit("decisions", days[0], [each.line for each in lines[:4]])
        other.append_audit("decisions", days[4], [each.line for each in lines[4:]])
        arrived = list(other.iter_audit("decisions"))
        assert [each.line for each in arrived] == [each.line for each in lines]
        assert [each.day for each in arrived] == days
        assert other.verify_audit() == store.verify_audit()
        assert [each.line for each in other.iter_audit("decisions", 4)] == [
            each.line for each in lines[4:]
        ]
    admin.execute("DROP SCHEMA other CASCADE")


def test_more_records_than_a_page_are_followed(store, decision, monkeypatch):
    store.log_decisions("value", [decision()] * 5_001)
    assert store.verify_audit().checked == 5_001
    numbers = [json.loads(each.line)["seq"] for each in store.iter_audit("decisions")]
    assert numbers == list(chain(range(1, 5_002)))
