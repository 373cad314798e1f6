"""The capability `Maintenance`: a store looked over, mended and brought into its best form."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from storecore.builtin.memory import MemoryDataStore
from storecore.copying import copy_store
from storecore.errors import CorruptData, InvalidData, StorageError
from storecore.protocols import ADDED, Maintenance
from storecore.reports import Report
from storecore.testing.answers import answers, difference
from storecore.testing.fixtures import Fixtures, Tamper
from storecore.testing.freshness import expected, written_to
from storecore.testing.recorder import Recorder
from storecore.testing.records import EVER, NOON, bar, decision, event, fundamental, refused, sent


class MaintenanceLaws(Fixtures):
    """What looks after a store changes no answer of it."""

    @pytest.fixture
    def maintained(self, having: Callable[[str], Recorder]) -> Recorder:
        """The subject, if it can be looked after."""
        return having("Maintenance")

    @pytest.fixture
    def checkpointed(self, maintained: Recorder, store: Any) -> Recorder:
        """The subject, if it takes checkpoints; core does so for one of an earlier release."""
        methods = ADDED & vars(Maintenance).keys()
        lacking = [name for name in methods if not hasattr(store, name)]
        if lacking:
            pytest.skip(f"core provides what the backend lacks: {', '.join(lacking)}")
        return maintained

    def test_maintenance_finds_nothing_wrong_with_a_store_that_nobody_touched(
        self, maintained: Recorder
    ) -> None:
        """A new one, and one that holds records of every kind, odd bars too."""
        assert maintained.verify().ok
        _write_some_of_each(maintained)
        maintained.write_bars("ODD", [bar(symbol="ODD", high=1.0, low=2.0)])
        report = maintained.verify()
        assert report.ok, report

    def test_maintenance_changes_no_answer(self, maintained: Recorder) -> None:
        """Neither of the three does, nor a repair that is only tried; twice is fine."""
        _write_some_of_each(maintained)
        before = _answers(maintained)
        for _ in range(2):
            maintained.verify()
            maintained.repair(dry_run=True)
            maintained.repair()
            maintained.compact()
            assert _answers(maintained) == before
        assert maintained.verify().ok

    def test_maintenance_keeps_every_record_of_every_kind(
        self,
        maintained: Recorder,
        declared: frozenset[str],
        store: Any,
        reopen: Callable[[], Any] | None,
    ) -> None:
        """Older filings and versions, equal events, odd bars; also in a store opened again."""
        reference = MemoryDataStore()
        for each in (maintained, reference):
            written_to(each, declared=declared)
            each.write_bars("MSFT", [bar(NOON, symbol="MSFT", high=-1.0, volume=0)], timeframe="1m")
            each.write_bars("HOURLY", [bar(symbol="HOURLY")], timeframe="1h")
            each.write_event(event(payload={"a": 2}))
            each.write_event(event(payload={"a": 1}))
        right = expected(reference, declared)
        tried = partial(maintained.repair, dry_run=True)
        for step in (tried, maintained.compact, maintained.repair, maintained.compact):
            step()
            wrong = difference(right, answers(maintained, declared))
            assert not wrong, f"after {step}: {wrong}"
        store.close()
        if reopen is not None:
            with closing(reopen()) as again:
                wrong = difference(right, answers(again, declared))
                assert not wrong, f"opened again: {wrong}"

    def test_a3_verify_finds_a_forged_record(
        self, maintained: Recorder, tamper: Tamper | None
    ) -> None:
        """As `verify_audit` does, in both logs."""
        if tamper is None:
            pytest.skip("not tried: the suite gives no `tamper` that edits stored records")
        _write_some_of_each(maintained)
        for log in ("decisions", "orders"):
            kept: list[bytes] = []

            def forged(lines: list[bytes], kept: list[bytes] = kept) -> list[bytes]:
                kept[:] = lines
                return [line.replace(b'"AAPL"', b'"MSFT"', 1) for line in lines]

            tamper(log, forged)
            assert not maintained.verify().ok, f"{log}: a forged record is not found by verify"
            tamper(log, lambda _, kept=kept: kept)  # type: ignore[misc]
            assert maintained.verify().ok

    def test_maintenance_of_a_store_leaves_it_to_be_written_on(self, maintained: Recorder) -> None:
        """What comes after is kept like what was before."""
        _write_some_of_each(maintained)
        maintained.compact()
        later = bar(NOON + timedelta(400))
        maintained.write_bars("AAPL", [later])
        maintained.repair()
        assert maintained.read_bars("AAPL", *EVER)[-1] == later

    def test_maintenance_a_checkpoint_holds_for_a_store_that_nobody_touched(
        self, checkpointed: Recorder
    ) -> None:
        """A new store, and one after maintenance: no finding and no note."""
        assert checkpointed.verify(against=checkpointed.checkpoint()).ok
        _write_some_of_each(checkpointed)
        taken = checkpointed.checkpoint()
        plain = checkpointed.verify()
        held = checkpointed.verify(against=taken)
        assert (held.findings, held.notes) == (plain.findings, plain.notes) == ((), ())
        assert held.checked > plain.checked, "what the checkpoint names was not looked at"
        checkpointed.compact()
        checkpointed.repair()
        assert checkpointed.verify(against=taken).ok

    def test_maintenance_a_checkpoint_holds_after_writes_of_every_kind(
        self, checkpointed: Recorder
    ) -> None:
        """Records added before, between and behind, or replaced by a write, are no finding."""
        _write_some_of_each(checkpointed)
        taken = checkpointed.checkpoint()
        _write_more_of_each(checkpointed)
        report = checkpointed.verify(against=taken)
        assert report.ok, report

    def test_maintenance_what_was_written_behind_is_not_even_a_note(
        self, checkpointed: Recorder
    ) -> None:
        """A day's work: newer bars, filings, events, states and records change nothing of then."""
        _write_some_of_each(checkpointed)
        taken = checkpointed.checkpoint()
        checkpointed.write_bars("AAPL", [bar(NOON + timedelta(81)), bar(NOON + timedelta(82))])
        checkpointed.write_fundamental("AAPL", fundamental(NOON + timedelta(1)))
        checkpointed.write_event(event(NOON, ingested_at=NOON + timedelta(3)))
        checkpointed.save_strategy_state("value", {"day": 3})
        checkpointed.log_decision("value", decision())
        assert checkpointed.verify(against=taken).notes == checkpointed.verify().notes

    def test_maintenance_bars_that_are_gone_are_found_by_name(
        self, checkpointed: Recorder, having: Callable[[str], Recorder]
    ) -> None:
        """A whole series, and a bar of another series that has new bars since."""
        having("Bulk")
        _write_some_of_each(checkpointed)
        checkpointed.write_bars("GONE", [bar(symbol="GONE")], timeframe="1h")
        taken = checkpointed.checkpoint()
        checkpointed.delete_bars("GONE", *EVER, timeframe="1h")
        checkpointed.delete_bars("AAPL", NOON, NOON)
        checkpointed.write_bars("AAPL", [bar(NOON + timedelta(400 + day)) for day in range(9)])
        found = _found(checkpointed.verify(against=taken))
        assert found == {("missing", "bars of GONE (1h)"), ("missing", "bars of AAPL (1d)")}

    def test_maintenance_what_a_store_lacks_of_a_checkpoint_is_found_by_name(
        self, checkpointed: Recorder
    ) -> None:
        """The checkpoint of a store with something of each kind, compared with an empty one."""
        other = MemoryDataStore()
        _write_some_of_each(other)
        found = _found(checkpointed.verify(against=other.checkpoint()))
        days = {f"events of {(NOON + timedelta(day)).date()}" for day in range(3)}
        places = {"bars of AAPL (1d)", "fundamentals of AAPL", "state of value", *days}
        logs = {("truncated", f"log of {log}") for log in ("decisions", "orders")}
        assert found == {("missing", place) for place in places} | logs

    def test_maintenance_what_is_not_as_it_was_is_found_by_name(
        self, checkpointed: Recorder
    ) -> None:
        """Appended records and numbered versions must be as they were."""
        other = MemoryDataStore()
        for store, day in ((checkpointed, 0), (other, 1)):
            _write_some_of_each(store)
            store.write_event(event(payload={"day": day}))
            store.save_strategy_state("changed", {"day": day})
        other.save_strategy_state("value", {"day": 7})
        found = _found(checkpointed.verify(against=other.checkpoint()))
        logs = {("changed", f"log of {log}") for log in ("decisions", "orders")}
        assert found == logs | {
            ("changed", f"events of {NOON.date()}"),
            ("changed", "state of changed"),
            ("rolled back", "state of value"),
        }

    def test_maintenance_what_may_have_been_corrected_is_a_note(
        self, checkpointed: Recorder
    ) -> None:
        """As many bars or fundamentals with other values, or more of them."""
        _write_some_of_each(checkpointed)
        taken = checkpointed.checkpoint()
        checkpointed.write_bars("AAPL", [bar(close=100.5)])
        checkpointed.write_fundamental("AAPL", fundamental(employees=7))
        checkpointed.write_event(event(payload={}))
        report = checkpointed.verify(against=taken)
        assert report.ok, report
        assert {(each.kind, each.place) for each in report.notes} == {
            ("replaced", "bars of AAPL (1d)"),
            ("replaced", "fundamentals of AAPL"),
            ("added", f"events of {NOON.date()}"),
        }

    def test_maintenance_a_checkpoint_is_taken_from_itself_its_mapping_or_its_file(
        self, checkpointed: Recorder, tmp_path: Path
    ) -> None:
        """An edit is detected in each of them."""
        checkpointed.write_bars("AAPL", [bar()])
        taken, file = checkpointed.checkpoint(), tmp_path / "checkpoint.json"
        taken.save(file)
        for form in (taken, json.loads(file.read_bytes()), file, str(file)):
            assert checkpointed.verify(against=form).ok
        edited = replace(taken, bars=())
        edited.save(file)
        for form in (edited, json.loads(file.read_bytes()), file):
            with refused(CorruptData, "checksum", value=form):
                checkpointed.verify(against=form)
        with refused(StorageError, "absent.json"):
            checkpointed.verify(against=tmp_path / "absent.json")
        with refused(InvalidData, "7"):
            checkpointed.verify(against=7)

    def test_maintenance_a_checkpoint_is_that_of_memory_with_the_same_data(
        self, checkpointed: Recorder, store: Any, having: Callable[[str], Recorder]
    ) -> None:
        """So a store can be compared with the checkpoint of its copy in another backend."""
        for capability in ("Catalog", "VersionedState", "Transfer"):
            having(capability)
        _write_some_of_each(checkpointed)
        _write_more_of_each(checkpointed)
        same = MemoryDataStore()
        assert copy_store(store, same).ok
        own, others = checkpointed.checkpoint(), same.checkpoint()
        for name in ("bars", "fundamentals", "events", "states", "audit"):
            entries = [_unnumbered(each) for each in getattr(own, name)]
            assert [*getattr(others, name)] == entries, name
        assert same.verify(against=own).ok
        assert checkpointed.verify(against=others).ok


def _write_some_of_each(store: Any) -> None:
    for day in range(3):
        store.write_bars("AAPL", [bar(NOON + timedelta(40 * day))])
        store.write_event(event(NOON + timedelta(day)))
        store.save_strategy_state("value", {"day": day})
        store.log_decision("value", decision())
        store.log_order("value", *sent())
    store.write_fundamental("AAPL", fundamental())


def _write_more_of_each(store: Any) -> None:
    """Write to each existing series, symbol, day, state and log: new, late and again."""
    store.write_bars("AAPL", [bar(NOON + timedelta(day)) for day in (-400, 39, 40, 400)])
    store.write_bars("MSFT", [bar(symbol="MSFT", volume=2**53 + 1)], timeframe="1h")
    for day in (-400, 0, 400):
        store.write_fundamental("AAPL", fundamental(NOON + timedelta(day), employees=7))
        store.write_event(event(NOON + timedelta(day), payload={"b": 1, "a": -0.0}))
    store.save_strategy_state("value", {"b": 1, "a": 2.5})
    store.log_decision("value", decision())
    store.log_order("value", *sent())


def _unnumbered(entry: Any) -> Any:
    """Return an entry of a checkpoint without the number that only its own store knows."""
    return replace(entry, written=0) if hasattr(entry, "written") else entry


def _found(report: Report) -> set[tuple[str, str]]:
    """Return kind and place of each finding."""
    return {(each.kind, each.place) for each in report.findings}


def _answers(store: Any) -> tuple[Any, ...]:
    return (
        store.read_bars("AAPL", *EVER),
        store.read_events(*EVER),
        store.read_fundamental("AAPL"),
        store.load_strategy_state("value"),
    )
