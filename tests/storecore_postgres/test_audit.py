"""The room of audit: appended to by one after another, and every way to tamper with it is found."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from itertools import chain

import pytest

from storecore import InvalidName
from storecore.errors import CorruptData
from storecore_file import FileDataStore, audit
from storecore_postgres import audit_writer

ALL = date.min, date.max


@pytest.fixture
def logged(store, decision):
    """Log six decisions."""
    for number in range(6):
        store.log_decision("value", decision(reasoning=f"reason {number}"))


@pytest.fixture
def tamper(admin, schema):
    """Do as who disables the guard of the log; {log} stands for its table."""

    def do(*statements):
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
def test_a3_what_was_tampered_with_is_found(store, logged, tamper, schema, change, kind, line):
    assert kinds(store) == []
    tamper(change)
    assert kinds(store) == [(kind, f'"{schema}".decisions{line}')]
    assert not store.verify().ok


def test_a_record_that_was_edited_is_not_read_as_if_it_were_none(store, logged, tamper):
    tamper("UPDATE {log} SET record = '{{\"seq\":4}}' WHERE seq = 4")
    with pytest.raises(CorruptData, match=r"decisions, seq 4: "):
        store.read_decisions(*ALL)


def test_a_log_without_its_head_is_not_gone_on_with(store, logged, tamper, decision):
    tamper("DELETE FROM {heads} WHERE log = 'decisions'")
    with pytest.raises(CorruptData, match="its row in audit_heads is missing"):
        store.log_decision("value", decision())
    assert len(store.read_decisions(*ALL)) == 6


def test_a_log_whose_head_was_set_back_is_not_gone_on_with(opened, logged, tamper, decision):
    tamper("UPDATE {heads} SET seq = 5")
    with opened() as store:
        with pytest.raises(OSError, match="logging decisions: duplicate key value"):
            store.log_decision("value", decision())
        assert len(store.read_decisions(*ALL)) == 6


class Frozen(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime(2026, 1, 5, 12, 30, 0, 123456, UTC)


def test_its_chain_is_that_of_files_byte_for_byte(store, monkeypatch, tmp_path, decision, sent):
    for module in (audit, audit_writer):
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
