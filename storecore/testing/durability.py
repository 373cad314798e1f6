"""Laws D1 to D5, for backends that promise to be durable, shared or sealed: with real processes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from storecore.errors import StoreError
from storecore.testing import worker
from storecore.testing.givens import Givens
from storecore.testing.records import EVER, NOON, bar, decision, event, fundamental, sent
from storecore.testing.witness import Witness
from storecore.testing.worker import Job

ACKNOWLEDGED, ENDLESS = 20, 100_000
PROCESSES, THREADS, ROUNDS = 2, 2, 6
FLIPS = 96
LAST = 10**9
SYMBOLS = "AAPL", "MSFT"
LATER = NOON - timedelta(minutes=1)


class DurabilityLaws(Givens):
    """What outlives a process, a full disk, a crash and a flipped bit."""

    def test_d1_what_was_acknowledged_survives_kill_9(
        self, store: Any, declared: frozenset[str], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """Every bar, event and decision whose write returned is there afterwards."""
        reopen = promised("durable")
        store.close()
        acknowledged = _killed_after(reopen, ACKNOWLEDGED)
        with closing(reopen()) as again:
            lost = {kind: acknowledged - held for kind, held in _held(again, declared).items()}
        assert not any(lost.values()), f"acknowledged and lost: {lost}"

    def test_d2_a_write_that_fails_leaves_what_was_there(
        self, subject: Witness, store: Any, promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """No file may grow any more: a write is done in full, or refused and the old is there."""
        reopen = promised("durable")
        _write_one_of_each(subject)
        store.close()
        output, _ = worker.start(Job(reopen, 0, 0, 0, fill_up=True)).communicate()
        outcomes = dict(line.split(" ", 1) for line in output.decode().splitlines())
        expected = {"bars", "state", "event"}
        assert outcomes.keys() == expected, f"a write raised what is no StoreError: {outcomes}"
        with closing(reopen()) as again:
            for what, (old, kept) in _before_and_now(again).items():
                is_old = old == kept
                assert is_old is (outcomes[what] == "refused"), f"{what} {outcomes[what]}: {kept}"

    def test_d2_a_batch_that_fails_leaves_nothing_of_itself(
        self, store: Any, declared: frozenset[str], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """No file may grow any more: of a batch that is refused, what fitted is not there."""
        reopen = promised("durable")
        store.close()
        job = Job(reopen, 0, 0, 0, fill_up=True, batches=True)
        output, _ = worker.start(job).communicate()
        outcomes = dict(line.split(" ", 1) for line in output.decode().splitlines())
        expected = {"BarTables": {"table"}, "Bulk": {"events", "fundamentals"}}
        asked = set().union(*(expected[each] for each in expected.keys() & declared))
        assert outcomes.keys() == asked, f"a batch raised what is no StoreError: {outcomes}"
        with closing(reopen()) as again:
            held = {
                "table": [*again.read_bars("AAPL", *EVER), *again.read_bars("MSFT", *EVER)],
                "events": again.read_events(*EVER),
                "fundamentals": [each for each in map(again.read_fundamental, SYMBOLS) if each],
            }
        left = {what: len(held[what]) for what, how in outcomes.items() if how == "refused"}
        assert not any(left.values()), f"refused, and records of it are there: {left}"

    def test_d3_the_next_writer_goes_on_after_a_killed_one(
        self, store: Any, declared: frozenset[str], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """What was torn is no data, and nothing that follows is glued to it."""
        reopen = promised("durable")
        store.close()
        _killed_after(reopen, ACKNOWLEDGED)
        with closing(reopen()) as again:
            before = {kind: len(held) for kind, held in _held(again, declared).items()}
            again.write_bars("AAPL", [bar(LATER, volume=LAST)])
            again.write_event(event(LATER, type="last", payload={"number": LAST}))
            again.log_decision(str(LAST), decision())
            after = {kind: len(held) for kind, held in _held(again, declared).items()}
            assert after == {kind: count + 1 for kind, count in before.items()}
            assert again.read_events(LATER, LATER, ["last"])[0].payload == {"number": LAST}
            assert "AuditTrail" not in declared or again.verify_audit().ok

    def test_d4_processes_lose_nothing(
        self, store: Any, declared: frozenset[str], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """Several processes of several threads write the same series, events and log at once."""
        reopen = promised("shared")
        share = THREADS * ROUNDS
        workers = [
            worker.start(Job(reopen, number * share, THREADS, ROUNDS))
            for number in range(PROCESSES)
        ]
        printed = [each.communicate()[0].split() for each in workers]
        expected = set(range(PROCESSES * share))
        assert {int(line) for lines in printed for line in lines} == expected
        for kind, held in _held(store, declared).items():
            assert held == expected, f"{kind} lost: {sorted(expected - held)}"
        assert len(store.read_events(*EVER)) == len(expected)
        assert "AuditTrail" not in declared or store.verify_audit().ok

    def test_d5_no_flipped_bit_changes_an_answer_unnoticed(
        self,
        subject: Witness,
        store: Any,
        declared: frozenset[str],
        place: Path | None,
        promised: Callable[[str], Callable[[], Any]],
    ) -> None:
        """Some bits of each file in turn: a read raises a StoreError, or answers as before."""
        reopen = promised("sealed")
        assert place is not None, "a backend that is sealed needs the fixture `place`"
        _write_one_of_each(subject)
        store.close()
        expected = _answers(reopen, declared)
        noticed = 0
        for damage in _flipped_bits(place):
            for name, answer in _answers(reopen, declared).items():
                noticed += isinstance(answer, StoreError)
                unnoticed = not isinstance(answer, StoreError) and answer != expected[name]
                assert not unnoticed, f"{damage}: {name} gave {answer}, not {expected[name]}"
        assert noticed, "not one of the damages was noticed"


def _before_and_now(store: Any) -> dict[str, tuple[Any, Any]]:
    """Return what was there before the medium was full, and what is there now."""
    return {
        "bars": ([bar()], store.read_bars("AAPL", *EVER)),
        "state": ({"cash": 1.5}, store.load_strategy_state("value")),
        "event": ([event()], store.read_events(*EVER)),
    }


def _killed_after(reopen: Callable[[], Any], count: int) -> set[int]:
    """Return the numbers that a writer has acknowledged, which was killed in the midst of it."""
    process = worker.start(Job(reopen, 0, 2, ENDLESS))
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(count)]
    process.kill()
    rest, _ = process.communicate()
    whole = [*acknowledged, *rest.split(b"\n")[:-1]]
    assert all(whole), f"the writer gave up after {sum(map(bool, acknowledged))} of {count} writes"
    return set(map(int, whole))


def _held(store: Any, declared: frozenset[str]) -> dict[str, set[int]]:
    """Return the numbers of all that is there, by kind."""
    bars, events = store.read_bars("AAPL", *EVER), store.read_events(*EVER)
    held = {
        "bars": {each.volume for each in bars},
        "events": {each.payload["number"] for each in events},
    }
    logged = store.read_decisions(*EVER) if "AuditTrail" in declared else None
    return held if logged is None else held | {"decisions": {int(each.strategy) for each in logged}}


def _write_one_of_each(subject: Witness) -> None:
    subject.write_bars("AAPL", [bar()])
    subject.write_fundamental("AAPL", fundamental())
    subject.write_event(event())
    subject.save_strategy_state("value", {"cash": 1.5})
    subject.log_decision("value", decision())
    subject.log_order("value", *sent())


def _answers(reopen: Callable[[], Any], declared: frozenset[str]) -> dict[str, Any]:
    """Return what each read answers, or what it or the opening raises."""
    reads: dict[str, Callable[[Any], Any]] = {
        "read_bars": lambda store: store.read_bars("AAPL", *EVER),
        "read_fundamental": lambda store: store.read_fundamental("AAPL"),
        "read_events": lambda store: store.read_events(*EVER),
        "load_strategy_state": lambda store: store.load_strategy_state("value"),
    }
    if "AuditTrail" in declared:
        reads["read_decisions"] = lambda store: store.read_decisions(*EVER)
        reads["read_orders"] = lambda store: store.read_orders(*EVER)
    if "BarTables" in declared:
        reads["read_bar_table"] = lambda store: store.read_bar_table("AAPL", *EVER).to_pylist()
    if "VersionedState" in declared:
        reads["state_history"] = lambda store: store.state_history("value")
    try:
        store = reopen()
    except StoreError as error:
        return dict.fromkeys(reads, error)
    with closing(store):
        return {name: _answer(store, read) for name, read in reads.items()}


def _answer(store: Any, read: Callable[[Any], Any]) -> Any:
    try:
        return read(store)
    except StoreError as error:
        return error


def _flipped_bits(place: Path) -> Iterator[str]:
    """Yield once for each damage: one bit of one file is another meanwhile."""
    drawn = random.Random(0)
    files = sorted(each for each in place.rglob("*") if each.is_file() and each.stat().st_size)
    for file in files:
        whole = file.read_bytes()
        for position in drawn.sample(range(len(whole)), min(FLIPS // len(files) + 1, len(whole))):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << drawn.randrange(8)
            file.write_bytes(damaged)
            yield f"{file.name}, byte {position}"
            file.write_bytes(whole)
