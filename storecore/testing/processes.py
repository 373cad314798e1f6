"""Law D4 of processes that write batches, and states by their versions, at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import IO, Any

from storecore.reports import StateVersion
from storecore.testing import worker
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import EVER
from storecore.testing.worker import Job

SEVERAL, WRITERS, EACH_ONE = 2, 3, 8


class ProcessLaws(Fixtures):
    """What the capabilities promise, between processes too."""

    def test_d4_batches_of_processes_are_not_lost(
        self, having: Callable[[str], Recorder], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """Each is there whole."""
        reopen, bulk = promised("shared"), having("Bulk")
        _run(Job(reopen, n * EACH_ONE, 1, EACH_ONE, "batches of facts") for n in range(SEVERAL))
        numbers = range(SEVERAL * EACH_ONE)
        seen = Counter(each.payload["number"] for each in bulk.read_events(*EVER))
        assert seen == dict.fromkeys(numbers, 2)
        for symbol in ("AAPL", "MSFT"):
            read = [bulk.read_fundamental(symbol, worker.moment(n)) for n in numbers]
            assert [each and each.employees for each in read] == list(numbers), symbol

    def test_d4_batches_of_processes_make_one_chain(
        self, having: Callable[[str], Recorder], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """None is lost, and the records of each lie together."""
        reopen, trail, _ = promised("shared"), having("AuditTrail"), having("BulkAudit")
        _run(Job(reopen, n * EACH_ONE, 1, EACH_ONE, "batches of records") for n in range(SEVERAL))
        for records in (trail.read_decisions(*EVER), trail.read_orders(*EVER)):
            names = [each.strategy for each in records]
            assert names[::2] == names[1::2], "two batches of records are interleaved"
            assert sorted(map(int, names[::2])) == list(range(SEVERAL * EACH_ONE))
        assert trail.verify_audit().ok

    def test_d4_states_that_processes_count_up_lose_no_change(
        self, having: Callable[[str], Recorder], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """Of two that save the next version only one is taken."""
        reopen, versioned = promised("shared"), having("VersionedState")
        _run(Job(reopen, 0, 1, 4 * EACH_ONE, "count") for _ in range(SEVERAL))
        total = 4 * EACH_ONE * SEVERAL
        assert versioned.load_versioned_state("count") == StateVersion(total, {"count": total})

    def test_k3_processes_are_answered_in_the_same_way_later(
        self, having: Callable[[str], Recorder], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """What each was told of a moment, while others wrote, is what is told of it at the end."""
        reopen, kept = promised("shared"), having("History")
        told = _run(Job(reopen, n * EACH_ONE, 1, EACH_ONE, "correct") for n in range(WRITERS))
        answers = dict(line.split(" ", 1) for line in told)
        changed = {
            moment: answer
            for moment, answer in answers.items()
            if worker.held_at(kept, datetime.fromisoformat(moment)) != answer
        }
        assert not changed, f"{len(changed)} of {len(told)} answers changed"
        instants = [each.recorded_at for each in kept.bar_versions("AAPL")]
        assert instants == sorted(set(instants)), "two writes have one instant"
        assert len(instants) == WRITERS * EACH_ONE


def _run(jobs: Iterable[Job]) -> list[str]:
    """Do jobs, each in a process of its own, which all begin at once; none may fail.

    Return the lines that they print.
    """
    started = [worker.start(job) for job in jobs]
    output = [_line(process.stdout) for process in started]  # its store is open
    for process in started:
        with suppress(BrokenPipeError):  # it has ended, and says why in its output
            _begin(process.stdin)
    output += [process.communicate()[0] for process in started]
    lines, errors = worker.split(b"".join(output))
    assert not errors, f"a writing process ended with: {'; '.join(errors)}"
    assert not any(each.returncode for each in started), "a writing process was ended"
    return lines[len(started) :]


def _line(output: IO[bytes] | None) -> bytes:
    assert output is not None
    return output.readline()


def _begin(given: IO[bytes] | None) -> None:
    assert given is not None
    given.write(b"begin\n")
    given.flush()
