"""Laws D1 and D2 for deletions after every crash: each day, document and state is old or new.

Each operation is done again after the crash; what is read then is what it leaves without one.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from storecore import Event, FundamentalData
from storecore_file import FileDataStore
from storecore_file.events.collection import Events
from storecore_file.fs.disk import Disk
from storecore_file.states import States

JAN_5 = datetime(2026, 1, 5, tzinfo=UTC)
ALL = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def events(numbers, day=0):
    at = JAN_5 + timedelta(day)
    times = [at + timedelta(minutes=number) for number in numbers]
    batch = [Event("tick", "AAPL", time, time, "test", {"n": time.minute}) for time in times]
    return lambda store: store.write_events(batch)


def delete_events(first, last, day=0, days=0):
    at = JAN_5 + timedelta(day)
    bounds = at + timedelta(minutes=first), at + timedelta(days, minutes=last)
    return lambda store: store.delete_events(*bounds)


def compact(store):
    store.compact()


def read_events(store):
    found = {}
    for each in store.read_events(*ALL):
        found.setdefault(each.timestamp.date(), []).append(each.payload["n"])
    assert set(store.event_symbols()) == {"AAPL" for _ in found}
    return found


def filings(*days):
    data = {"company_name": "Apple", "cik": "1", "raw_xml": ""}
    batch = [FundamentalData(symbol="AAPL", timestamp=JAN_5 + timedelta(n), **data) for n in days]
    return lambda store: store.write_fundamentals(batch)


def delete_filings(first, last):
    bounds = JAN_5 + timedelta(first), JAN_5 + timedelta(last)
    return lambda store: store.delete_fundamentals("AAPL", *bounds)


def read_filings(store):
    return {each.timestamp: each.timestamp for each in store.fundamentals("AAPL")}


def save(number):
    return lambda store: store.save_strategy_state("value", {"n": number})


def delete_state(store):
    store.delete_strategy_state("value")


def read_state(store):
    newest = store.load_versioned_state("value")
    history = store.state_history("value")
    assert [newest] == (history[:1] or [newest])
    # A crash within a save may take a version from the history, but never adds a deleted one, and
    # the numbers go on after the deletion: state 14 is version 4.
    assert {each.state["n"] - each.version for each in history} in (set(), {0}, {10})
    assert store.strategies() == (["value"] if history else [])
    return {"value": newest.state}


SCENARIOS = {  # what was there, what the crash comes into, and how it is read
    "events of an open day": (
        [events(range(4))],
        [delete_events(1, 2), events([5]), delete_events(0, 9), events([7])],
        read_events,
    ),
    "events of a sealed day": (
        [events(range(4)), compact, events([4, 5])],
        [delete_events(2, 4), compact, delete_events(5, 5)],
        read_events,
    ),
    "events of several days": (
        [events(range(2)), events(range(2), 1), compact, events([3], 1), events([1], 2)],
        [delete_events(1, 1, days=2), delete_events(0, 0, days=1)],
        read_events,
    ),
    "fundamentals": (
        [filings(0, 1, 2, 3)],
        [delete_filings(1, 2), filings(2), delete_filings(0, 9)],
        read_filings,
    ),
    "states": (
        [save(1), save(2), save(3)],
        [delete_state, *map(save, range(14, 18)), delete_state],
        read_state,
    ),
}
LONG = {"events of several days"}


@pytest.fixture
def crashed(base, record, after_crashes, tmp_path):
    """Do a scenario; yield what is wrong after each crash, None where nothing is."""

    def judge(name, every=1):
        before, during, read = SCENARIOS[name]
        with FileDataStore(base) as store:
            for step in before:
                step(store)
        shutil.copytree(base, tmp_path / "model")
        store = FileDataStore(base)
        with record(base) as recorder:
            for number, step in enumerate(during):
                step(store)
                recorder.mark(number)
        store.close()
        models = []
        try:
            with FileDataStore(tmp_path / "model", durability="os") as model:
                for step in (lambda store: None, *during):
                    step(model)
                    models.append(read(model))
        except AssertionError as error:
            yield f"without a crash: {error}"
            return
        for steps, folder in after_crashes(recorder, every=every):
            done = sum(step.what == "mark" for step in steps)
            yield wrong_after(folder, models[done : done + 2], during[done:], read)
            shutil.rmtree(folder)

    return judge


def wrong_after(folder, models, undone, read):
    """Return what is wrong with a store after a crash, None where nothing is."""
    try:
        with FileDataStore(folder, durability="os") as store:
            found = read(store)
            for key in found.keys() | models[0].keys() | models[-1].keys():
                if found.get(key) not in [model.get(key) for model in models]:
                    return f"{key}: found {found.get(key)}, expected one of {models}"
            if store.verify().findings:
                return f"{store.verify().findings}"
            if undone and found != models[-1]:
                undone[0](store)
            for _ in range(2):
                if read(store) != models[-1] or store.verify().findings:
                    return f"done again: {read(store)}, {store.verify().findings}"
                store.compact()
    except Exception as error:  # any is a fault here
        return f"{type(error).__name__}: {error}"
    return None


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.soak) if name in LONG else name for name in SCENARIOS],
)
def test_d2_a_crash_leaves_what_was_there_or_what_was_asked_for(crashed, name, every):
    outcomes = list(crashed(name, every))
    print(f"{len(outcomes)} states after a crash")
    assert len(outcomes) > 10 / every
    assert [each for each in outcomes if each] == []


# A fault put into the package must be detected.


def removed_too_early(put, self, rewritten, *given):
    self._tidy(rewritten)
    return put(self, rewritten, *given)


def forgotten_too_early(finish, self, path, strategy):
    deleted = path.with_name(f".{path.name}.deleted")
    is_finished = deleted.exists() and b'"state":{}' in deleted.read_bytes()
    number = finish(self, path, strategy)
    if is_finished:
        self._disk.remove(deleted)
    return number


def finished_without_history(self, path, strategy):
    last = self._read(path.with_name(f".{path.name}.deleted"), strategy)
    return last.version if last else 0


PUT, FINISH = Events._put, States._finish_deletion
FAULTS = {
    "a log that is removed before": (
        "events of a sealed day",
        (Events, "_put", lambda *given: removed_too_early(PUT, *given)),
    ),
    "no folder sync": ("events of an open day", (Disk, "_sync_folder", lambda self, folder: None)),
    "no file sync": ("events of an open day", (Disk, "sync", lambda self, file: None)),
    "a version that is forgotten before the next save": (
        "states",
        (States, "_finish_deletion", lambda *given: forgotten_too_early(FINISH, *given)),
    ),
    "a history that stays": (
        "states",
        (States, "_finish_deletion", finished_without_history),
    ),
}


@pytest.mark.few(2)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_detected(crashed, monkeypatch, fault):
    name, patch = FAULTS[fault]
    monkeypatch.setattr(*patch)
    assert any(crashed(name))
