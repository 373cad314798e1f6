"""Laws D1 to D5, for backends that promise to be durable, shared or sealed: with real processes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from storecore.errors import StoreError, shown
from storecore.testing import worker
from storecore.testing.answers import answers, reads
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import EVER, bar, decision, event, fundamental, sent
from storecore.testing.worker import Job

ACKNOWLEDGED, ENDLESS = 20, 100_000
PROCESSES, THREADS, ROUNDS = 2, 2, 6
FLIPS = 96
LAST = 10**6
LATER = worker.moment(LAST)
FULL_KINDS = ("bars", "fundamental", "state", "event", "decision", "order")
SYMBOLS = "AAPL", "MSFT"


class DurabilityLaws(Fixtures):
    """What outlives a process, a full disk, a crash and a flipped bit."""

    def test_d1_what_was_acknowledged_survives_kill_9(
        self, store: Any, declared: frozenset[str], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """Every record of each kind whose write returned is there afterwards."""
        reopen = promised("durable")
        store.close()
        acknowledged = _killed_after(reopen, ACKNOWLEDGED)
        with closing(reopen()) as again:
            kept = held(again, declared, acknowledged)
            lost = {kind: acknowledged - numbers for kind, numbers in kept.items()}
        assert not any(lost.values()), f"acknowledged and lost: {lost}"

    def test_d2_a_write_that_fails_leaves_what_was_there(
        self,
        subject: Recorder,
        store: Any,
        declared: frozenset[str],
        promised: Callable[[str], Callable[[], Any]],
    ) -> None:
        """No file may grow any more: a write is done in full, or refused and the old is there."""
        reopen = promised("durable")
        _write_one_of_each(subject)
        store.close()
        output, _ = worker.start(Job(reopen, 0, 0, 0, task="fill")).communicate()
        lines, errors = worker.split(output)
        outcomes = dict(line.rsplit(" ", 1) for line in lines)
        expected = {f"{kind} 0" for kind in FULL_KINDS}
        assert expected <= outcomes.keys(), _no_store_error("write", errors, outcomes)
        with closing(reopen()) as again:
            for what, (old, new, found) in _before_and_now(again, declared, outcomes).items():
                right = new if outcomes[f"{what} 0"] == "written" else old
                assert found == right, f"{what} {outcomes[f'{what} 0']}: {shown(found)}"

    def test_d2_a_batch_that_fails_leaves_nothing_of_itself(
        self, store: Any, declared: frozenset[str], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """No file may grow any more: of a batch that is refused, what fitted is not there."""
        reopen = promised("durable")
        store.close()
        job = Job(reopen, 0, 0, 0, task="fill batches")
        output, _ = worker.start(job).communicate()
        lines, errors = worker.split(output)
        outcomes = dict(line.split(" 0 ", 1) for line in lines)
        expected = {
            "BarTables": {"table"},
            "Bulk": {"events", "fundamentals"},
            "BulkAudit": {"decisions", "orders"},
        }
        asked = set().union(*(expected[each] for each in expected.keys() & declared))
        assert outcomes.keys() >= asked, _no_store_error("batch", errors, outcomes)
        with closing(reopen()) as again:
            stored = {
                "table": [*again.read_bars("AAPL", *EVER), *again.read_bars("MSFT", *EVER)],
                "events": again.read_events(*EVER),
                "fundamentals": [each for each in map(again.read_fundamental, SYMBOLS) if each],
                "decisions": again.read_decisions(*EVER) if "AuditTrail" in declared else [],
                "orders": again.read_orders(*EVER) if "AuditTrail" in declared else [],
            }
        left = {what: len(stored[what]) for what, how in outcomes.items() if how == "refused"}
        assert not any(left.values()), f"refused, and records of it are there: {left}"

    def test_d3_the_next_writer_goes_on_after_a_killed_one(
        self, store: Any, declared: frozenset[str], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """What was torn is no data, and nothing that follows is glued to it."""
        reopen = promised("durable")
        store.close()
        acknowledged = _killed_after(reopen, ACKNOWLEDGED)
        with closing(reopen()) as again:
            before = held(again, declared, acknowledged)
            worker.write_all_kinds(again, LAST)
            after = held(again, declared, acknowledged | {LAST})
            assert after == {kind: numbers | {LAST} for kind, numbers in before.items()}
            assert again.read_events(LATER, LATER, ["tick"])[-1].payload == {"number": LAST}
            assert "AuditTrail" not in declared or again.verify_audit().ok

    def test_d4_processes_lose_nothing(
        self, store: Any, declared: frozenset[str], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """Several processes of several threads write all kinds at once; who read before sees all.

        Then this process goes on where they stopped, and they where it did.
        """
        reopen = promised("shared")
        share = THREADS * ROUNDS
        assert not any(held(store, declared, set()).values())
        for first in (0, PROCESSES * share + 1):
            jobs = [
                Job(reopen, first + number * share, THREADS, ROUNDS) for number in range(PROCESSES)
            ]
            printed = [each.communicate()[0] for each in list(map(worker.start, jobs))]
            lines, errors = worker.split(b"".join(printed))
            assert not errors, f"a writing process ended with: {'; '.join(errors)}"
            expected = set(range(first + PROCESSES * share))
            assert set(map(int, lines)) == expected - set(range(first))
            for kind, kept in held(store, declared, expected).items():
                assert kept == expected, f"{kind} lost: {sorted(expected - kept)}"
            worker.write_all_kinds(store, first + PROCESSES * share)
        assert len(store.read_events(*EVER)) == len(expected) + 1
        assert "AuditTrail" not in declared or store.verify_audit().ok

    def test_d5_no_flipped_bit_changes_an_answer_unnoticed(
        self,
        subject: Recorder,
        store: Any,
        declared: frozenset[str],
        place: Path | None,
        promised: Callable[[str], Callable[[], Any]],
    ) -> None:
        """Some bits of each file in turn: a read raises a StoreError, or answers as before."""
        reopen = promised("sealed")
        if place is None:
            pytest.skip("not tried: promised to be sealed, but the suite gives no `place`")
        _write_one_of_each(subject)
        store.close()
        if not _files(place):
            pytest.skip("not tried: promised to be sealed, but the store has no file in `place`")
        expected = _answers(reopen, declared)
        noticed = 0
        for damage in _flipped_bits(place):
            for name, answer in _answers(reopen, declared).items():
                noticed += isinstance(answer, StoreError)
                unnoticed = not isinstance(answer, StoreError) and answer != expected[name]
                assert not unnoticed, f"{damage}: {name} gave {answer}, not {expected[name]}"
        assert noticed, "not one of the damages was noticed"


def _no_store_error(what: str, errors: list[str], outcomes: dict[str, str]) -> str:
    """Return what is said of a writer that a foreign error has ended."""
    raised = "; ".join(errors) or "what is no StoreError"
    return (
        f"a {what} raised {raised}; expected it to succeed or to raise a StoreError of storecore "
        f"(StorageError if the medium fails); so far: {outcomes}"
    )


def _before_and_now(
    store: Any, declared: frozenset[str], outcomes: dict[str, str]
) -> dict[str, tuple[Any, Any, Any]]:
    """Return what was there before the medium was full, what was to be, and what is there now."""
    written = [f"bars {number}" for number in range(worker.BATCHES)]
    numbers = [number for number, each in enumerate(written) if outcomes.get(each) == "written"]
    bars = [each for number in numbers for each in worker.batch(number)]
    filing, events = store.read_fundamental("AAPL"), store.read_events(*EVER)
    state = store.load_strategy_state("value")
    found = {
        "bars": (bars, bars, store.read_bars("FULL", *EVER)),
        "fundamental": ("Apple", "new", None if filing is None else filing.company_name),
        "state": (["cash"], ["long"], None if state is None else list(state)),
        "event": (["news"], ["news", "x"], [each.type for each in events]),
    }
    if "AuditTrail" in declared:
        decided, ordered = store.read_decisions(*EVER), store.read_orders(*EVER)
        found["decision"] = ([1], [1, 2], [each.seq for each in decided])
        found["order"] = ([1], [1, 2], [each.seq for each in ordered])
    return found


def _killed_after(reopen: Callable[[], Any], count: int) -> set[int]:
    """Return the numbers that a writer has acknowledged, which was killed in the midst of it."""
    process = worker.start(Job(reopen, 0, 2, ENDLESS))
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(count)]
    process.kill()
    rest, _ = process.communicate()
    lines, errors = worker.split(b"".join([*acknowledged, rest[: rest.rfind(b"\n") + 1]]))
    whole = not errors and all(acknowledged)
    assert whole, f"the writer gave up after {len(lines)} writes: {'; '.join(errors) or 'killed'}"
    return set(map(int, lines))


def held(store: Any, declared: frozenset[str], numbers: set[int]) -> dict[str, set[int]]:
    """Return the numbers of what is there, by kind: all of them, or which of `numbers` are."""
    filings = {number: store.read_fundamental("AAPL", worker.moment(number)) for number in numbers}
    states = {number: store.load_strategy_state(str(number)) for number in numbers}
    kept = {
        "bars": {each.volume for each in store.read_bars("AAPL", *EVER)},
        "fundamentals": {n for n, each in filings.items() if each and each.employees == n},
        "events": {each.payload["number"] for each in store.read_events(*EVER)},
        "states": {number for number, state in states.items() if state == {"number": number}},
    }
    if "AuditTrail" in declared:
        kept["decisions"] = {int(each.strategy) for each in store.read_decisions(*EVER)}
        kept["orders"] = {int(each.strategy) for each in store.read_orders(*EVER)}
    return kept


def _write_one_of_each(subject: Recorder) -> None:
    subject.write_bars("AAPL", [bar()])
    subject.write_fundamental("AAPL", fundamental())
    subject.write_event(event())
    subject.save_strategy_state("value", {"cash": 1.5})
    subject.log_decision("value", decision())
    subject.log_order("value", *sent())


def _answers(reopen: Callable[[], Any], declared: frozenset[str]) -> dict[str, Any]:
    """Return what each read answers, or what it or the opening raises; a check is no read."""
    try:
        store = reopen()
    except StoreError as error:
        return dict.fromkeys(reads(declared), error)
    with closing(store):
        found = answers(store, declared)
    return {name: answer for name, answer in found.items() if name != "verify_audit"}


def _files(place: Path) -> list[Path]:
    return sorted(each for each in place.rglob("*") if each.is_file() and each.stat().st_size)


def _flipped_bits(place: Path) -> Iterator[str]:
    """Yield once for each damage: one bit of one file is another meanwhile."""
    drawn = random.Random(0)
    files = _files(place)
    for file in files:
        whole = file.read_bytes()
        for position in drawn.sample(range(len(whole)), min(FLIPS // len(files) + 1, len(whole))):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << drawn.randrange(8)
            file.write_bytes(damaged)
            yield f"{file.name}, byte {position}"
            file.write_bytes(whole)
