"""Laws A3, A4 and D1 where writers of one log are of two minds about the day, and one is killed.

The date is the machine's local one: it goes back where a clock is set, where a summer ends at
midnight, and processes with another time zone never agree on it. So a writer whose own file is as
it left it may have missed that the chain went on in another. Each of three writers logs once: the
second has logged before and knows where the chain ended then, the third knows nothing but files.
"""

from __future__ import annotations

import itertools
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from storecore import Action, Decision, StoreError
from storecore.audit.records import GENESIS
from storecore_file import FileDataStore
from storecore_file.audit.log import AuditLog, HeadFile
from storecore_file.fs.locks import Locked

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
DAYS = list(itertools.product((-1, 0, 1), repeat=3))
QUICK = [(0, 1, 0)]


def log(store, number, day):
    now = NOON + timedelta(day)
    clock = type("Clock", (), {"now": staticmethod(lambda zone: now)})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("storecore_file.audit.log.datetime", clock)
        store.log_decision(str(number), Decision("AAPL", Action.HOLD, 0, 0, "test"))


def logged(store):
    """Return the numbers that were logged, once the chain through them is whole."""
    records = store.read_decisions(*ALWAYS)
    assert [record.seq for record in records] == [*range(1, len(records) + 1)]
    assert store.verify_audit().findings == ()
    return [int(record.strategy) for record in records]


@pytest.fixture
def killed_at(tmp_path, record, killed):
    """Yield, for every step that the first writer is killed at, the folder and what came of it.

    The writers of `days` log one after the other; the second has logged on day 0 before.
    """

    def each(days):
        for steps in itertools.count():
            base = tmp_path / f"killed after {steps}"
            FileDataStore(base).close()
            with record(base) as recorder:
                second = FileDataStore(base)
                log(second, 0, 0)
                recorder.mark(0)
                recorder.killed_after = len(recorder.steps) + steps
                try:
                    log(FileDataStore(base), 1, days[0])
                    recorder.mark(1)
                except killed:
                    pass
                recorder.killed_after = None
                log(second, 2, days[1])
                recorder.mark(2)
                log(FileDataStore(base), 3, days[2])
                recorder.mark(3)
            yield base, recorder
            if ("mark", 1) in [step[:2] for step in recorder.steps]:
                return

    return each


def check(found, acknowledged):
    """See that what was acknowledged is there once, in order, and else only what was begun."""
    assert sorted(set(found)) == found
    assert acknowledged <= set(found) <= {0, 1, 2, 3}


@pytest.mark.few(9)
@pytest.mark.parametrize("days", DAYS, ids=str)
def test_a3_no_chain_forks_where_a_writer_is_killed_at_any_step_and_others_go_on(killed_at, days):
    points = 0
    for base, _ in killed_at(days):
        with FileDataStore(base, durability="os") as store:
            check(logged(store), {0, 2, 3})
        points += 1
    assert points > 5


@pytest.fixture
def states_after(killed_at, after_crashes):
    """Judge every state that a power cut may leave after that; return how many there are."""

    def judge(days, every=1):
        states = 0
        for base, recorder in killed_at(days):
            begun = recorder.steps.index(("mark", 0, None))
            for steps, folder in after_crashes(recorder, since=begun + 1, every=every):
                with FileDataStore(folder, durability="os") as store:
                    check(logged(store), {step.where for step in steps if step.what == "mark"})
                    log(store, 4, days[0])
                    assert logged(store)[-1] == 4
                shutil.rmtree(folder)
                states += 1
            shutil.rmtree(base)
        return states

    return judge


@pytest.mark.parametrize(
    "days",
    [*QUICK, *(pytest.param(days, marks=pytest.mark.soak) for days in DAYS if days not in QUICK)],
    ids=str,
)
def test_a3_no_chain_forks_where_the_power_fails_after_that(states_after, days, every):
    states = states_after(days, every)
    print(f"{states} states after a crash")
    assert states > 100 / every


def healed_without_a_sync(self, head):
    if head is None:
        return GENESIS
    path = self._folder / head.file
    return max(head.link, self._end_of(path)) if self._disk.size(path) else head.link


FAULTS = {
    "a head begun is not looked for": ((1, 0, 1), Locked, "count", lambda self: 0),
    "a head is not settled": ((1, 1, 0), HeadFile, "settle", lambda self: None),
    "a record is not settled": ((0, 1, 0), AuditLog, "_healed", healed_without_a_sync),
}


@pytest.mark.parametrize(
    "fault",
    FAULTS,
)
@pytest.mark.soak
def test_a_writer_with_a_fault_is_detected(states_after, monkeypatch, fault):
    days, *fault_in = FAULTS[fault]
    monkeypatch.setattr(*fault_in)
    with pytest.raises((AssertionError, StoreError)):
        states_after(days)


@pytest.mark.few(9)
@pytest.mark.parametrize("days", DAYS, ids=str)
def test_a3_a_tail_that_is_cut_after_all_that_is_found(killed_at, days):
    *_, (base, _) = killed_at(days)
    newest = max((base / "audit" / "decisions").glob("*.jsonl"), key=last_number)
    newest.write_bytes(b"".join(newest.read_bytes().splitlines(keepends=True)[:-1]))
    with FileDataStore(base) as store:
        assert [found.kind for found in store.verify_audit().findings] == ["truncated"]


def last_number(path):
    return int(path.read_bytes().splitlines()[-1].split(b",")[0].rpartition(b":")[2])
