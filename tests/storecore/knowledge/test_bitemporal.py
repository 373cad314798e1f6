"""Every `at(t, recorded=r)` equals a naive bitemporal model, whatever was written and when."""

from __future__ import annotations

import random
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from storecore import open_store
from storecore.builtin.memory import MemoryDataStore
from storecore.errors import HistoryPruned
from storecore.protocols import History, Maintenance
from storecore.reports import Coverage
from storecore.testing.records import EVER_UTC, bar, bar_table, event, fundamental
from storecore.values.times import exact_instant

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NAMES = ("A", "B")
STEPS, ROUNDS = 40, 1
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
TIMES = [TODAY + day * DAY for day in (-100, -1, 0, 1)]
FAR = (TODAY - 100 * DAY + HOUR, TODAY - DAY + HOUR, TODAY + 10 * DAY)
"""Times of views before all that is recorded, and after all that can be known."""


class Held(NamedTuple):
    """What a store held: bars and filings by symbol and time, and events in order."""

    bars: dict
    filings: dict
    events: list


class Model:
    """The same writes in a store and in plain dicts, which are copied after each of them."""

    def __init__(self, store, drawn):
        self.store, self.drawn = store, drawn
        self.now = Held({}, {}, [])
        self.then = {}
        self.numbers = 0
        self.keep()

    def keep(self):
        self.then[self.store.recorded_now()] = deepcopy(self.now)

    def step(self):
        drawn, symbol = self.drawn, self.drawn.choice(NAMES)
        at, value = drawn.choice(TIMES), drawn.randrange(3)
        first, last = sorted((at, drawn.choice(TIMES)))
        drawn.choice(
            [
                lambda: self.write(symbol, at, float(value)),
                lambda: self.write(symbol, at, float(value)),
                lambda: self.replace(symbol, at, float(value)),
                lambda: self.delete(symbol, first, last),
                lambda: self.file(symbol, at, value),
                lambda: self.unfile(symbol, first, last),
                lambda: self.happen(symbol, at, drawn.choice(TIMES)),
                lambda: self.unhappen(symbol, first, last),
                lambda: self.rename(symbol),
            ]
        )()
        self.keep()

    def write(self, symbol, at, close):
        self.store.write_bars(symbol, [bar(at, close, symbol=symbol)])
        self.now.bars[symbol, at] = close

    def replace(self, symbol, at, close):
        self.store.write_bar_table(bar_table([naive(bar(at, close, symbol=symbol))]), replace=True)
        drop(self.now.bars, symbol, *EVER_UTC)
        self.now.bars[symbol, at] = close

    def delete(self, symbol, first, last):
        self.store.delete_bars(symbol, first, last)
        drop(self.now.bars, symbol, first, last)

    def file(self, symbol, at, employees):
        self.store.write_fundamental(symbol, fundamental(at, symbol=symbol, employees=employees))
        self.now.filings[symbol, at] = employees

    def unfile(self, symbol, first, last):
        self.store.delete_fundamentals(symbol, first, last)
        drop(self.now.filings, symbol, first, last)

    def happen(self, symbol, at, learned):
        self.numbers += 1
        payload = {"number": self.numbers}
        self.store.write_event(event(at, symbol=symbol, ingested_at=learned, payload=payload))
        self.now.events.append((symbol, at, learned, self.numbers))

    def unhappen(self, symbol, first, last):
        self.store.delete_events(first, last, symbols=[symbol])
        self.now.events[:] = [
            each for each in self.now.events if each[0] != symbol or not first <= each[1] <= last
        ]

    def rename(self, old):
        (new,) = set(NAMES) - {old}
        held = self.now
        known = {key[0] for key in (*held.bars, *held.filings, *held.events)}
        if old in known and new not in known:
            self.store.rename_symbol(old, new)
            for kept in (held.bars, held.filings):
                for key in list(kept):
                    kept[new, key[1]] = kept.pop(key)
            held.events[:] = [(new, *rest) for _, *rest in held.events]

    def held_at(self, moment):
        """Return what was held at a moment that was asked about, or before or after all."""
        asked = [each for each in self.then if each <= moment]
        return self.then[max(asked)] if asked else Held({}, {}, [])

    @property
    def horizon(self):
        """The first moment about which the store answers."""
        pruned = self.store.recording().pruned_before
        if pruned is None:
            return min(self.then)
        return min((each for each in self.then if each >= pruned), default=pruned)

    def is_left(self, key, limit):
        """Return whether the version of a bar that was held at a moment was not pruned since."""
        meanwhile = (
            self.held_at(each).bars.get(key) for each in self.then if limit <= each <= self.horizon
        )
        return all(each == self.held_at(limit).bars[key] for each in meanwhile)

    def expected(self, t, recorded):
        limit = min(t, recorded)
        held, forming = self.held_at(recorded), self.held_at(limit)
        bars = {key: close for key, close in held.bars.items() if key[1] + DAY <= t}
        bars |= {
            key: close
            for key, close in forming.bars.items()
            if t - DAY < key[1] <= t + DAY and self.is_left(key, limit)
        }
        return Held(
            bars,
            {key: value for key, value in held.filings.items() if key[1] <= t},
            sorted((each for each in held.events if each[2] <= t), key=lambda each: each[1]),
        )


def naive(given):
    return bar(given.date.replace(tzinfo=None), given.close, symbol=given.symbol)


def drop(kept, symbol, first, last):
    for key in [key for key in kept if key[0] == symbol and first <= key[1] <= last]:
        del kept[key]


def shown(view):
    bars = [each for name in NAMES for each in view.read_bars(name, *EVER_UTC)]
    filings = [each for name in NAMES for each in view.fundamentals(name)]
    events = view.read_events(*EVER_UTC)
    return Held(
        {(each.symbol, each.date): each.close for each in bars},
        {(each.symbol, each.timestamp): each.employees for each in filings},
        [
            (each.symbol, each.timestamp, each.ingested_at, each.payload["number"])
            for each in events
        ],
    )


def check(model, t, recorded):
    if recorded < model.horizon:
        with pytest.raises(HistoryPruned):
            shown(model.store.at(t, recorded=recorded))
    else:
        check_view(model.store.at(t, recorded=recorded), model.expected(t, recorded))


def check_view(view, expected):
    assert shown(view) == expected, view
    symbols = sorted({symbol for symbol, _ in expected.bars})
    assert view.symbols() == symbols
    assert [each.symbol for each in view.inventory()] == symbols
    for name in symbols:
        dates = sorted(at for symbol, at in expected.bars if symbol == name)
        assert view.bar_coverage(name) == Coverage(dates[0], dates[-1], len(dates))
    table = view.read_bar_table(NAMES, *EVER_UTC).to_pylist()
    assert {(row["symbol"], row["date"]): row["close"] for row in table} == expected.bars
    for name in NAMES:
        latest = max((at for symbol, at in expected.filings if symbol == name), default=None)
        found = view.read_fundamental(name)
        assert (found and found.timestamp) == latest


def try_history(store, seed, checks, between=lambda store: None):
    """Make a random history, ask of it at random, prune it, and ask again."""
    model = Model(store, random.Random(seed))
    for _ in range(STEPS):
        between(store)
        model.step()
    ask(model, checks)
    store.prune_history(sorted(model.then)[STEPS // 2])
    ask(model, checks)
    store.snapshot("pinned")
    compact(store)
    model.step()
    ask(model, checks)
    pinned, (named,) = store.at("pinned"), store.snapshots()
    for t in (*FAR, *model.drawn.sample(sorted(model.then), 2)):
        expected = model.expected(min(t, named.recorded_at), named.recorded_at)
        check_view(pinned.at(t), expected)


def compact(store):
    if isinstance(store, Maintenance):
        store.compact()


def ask(model, checks):
    asked, pick = sorted(model.then), model.drawn.choice
    for _ in range(checks):
        check(model, pick([*asked, *FAR]), pick(asked))
    for t in (*FAR, *model.drawn.sample(asked, 2)):
        check(model, t, asked[-1])
        assert shown(model.store.at(t)) == model.expected(t, asked[-1])


@pytest.fixture
def kept(store):
    """A store of each backend that keeps its history."""
    if not isinstance(store, History):
        pytest.skip("the backend does not declare the capability History")
    return store


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_k3_any_history_is_shown_as_of_each_time_and_recording(kept, seed):
    try_history(kept, seed, checks=6)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 130))
def test_k3_many_histories_are_shown_as_of_each_time_and_recording(kept, seed):
    try_history(kept, seed, checks=60)


@pytest.fixture(params=["memory", "file", "postgres"])
def place(request, tmp_path):
    """The options of an empty place of each backend."""
    if request.param == "postgres":
        return {"backend": "postgres", **request.getfixturevalue("place_in_postgres")}
    folder = {"base_path": tmp_path / "data", "durability": "os"} if request.param == "file" else {}
    return {"backend": request.param, **folder}


@pytest.mark.few(3)
@pytest.mark.parametrize("history", [False, "90d"])
def test_k3_a_history_that_is_kept_in_part_is_shown_as_far_as_it_is_kept(place, history):
    with open_store(place | {"history": history}) as store:
        compact(store)
        try_history(store, 1, checks=4)


@pytest.mark.soak
@pytest.mark.parametrize("history", [False, "90d"])
@pytest.mark.parametrize("seed", range(200, 215))
def test_k3_many_histories_are_shown_as_far_as_they_are_kept(place, history, seed):
    with open_store(place | {"history": history}) as store:
        compact(store)
        try_history(store, seed, checks=60)


@pytest.mark.few(4)
@pytest.mark.parametrize("history", [False, "1h", "1d", "90d"])
@pytest.mark.parametrize("backend", ["memory", "file"])
def test_k3_a_history_is_shown_as_far_as_it_is_kept_as_time_passes(
    tmp_path, monkeypatch, backend, history
):
    """Hours pass while bars form, and seasons between them."""
    drawn, clock = random.Random(3), [TODAY - 100 * DAY - HOUR]

    def pass_by(store):
        clock[0] += drawn.choice([0 * HOUR, HOUR, HOUR, 9 * HOUR, 9 * HOUR, 12 * DAY])
        if drawn.random() < 0.3:
            compact(store)

    for module in ("storecore.knowledge.clock", "storecore_file.history"):
        monkeypatch.setattr(f"{module}.machine_now", lambda: exact_instant(clock[0], "now"))
    folder = {"base_path": tmp_path / "data", "durability": "os"} if backend == "file" else {}
    with open_store(backend, history=history, **folder) as store:
        try_history(store, 4, checks=10, between=pass_by)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_k3_a_history_is_shown_as_it_was_though_the_machines_clock_jumps(seed, monkeypatch):
    """Between two days before the bars and a day after them, back and forth."""
    drawn = random.Random(seed)

    def jump():
        return exact_instant(TODAY + drawn.randrange(-48, 48) * HOUR, "now")

    monkeypatch.setattr("storecore.knowledge.clock.machine_now", jump)
    with MemoryDataStore() as store:
        try_history(store, seed, checks=15)
