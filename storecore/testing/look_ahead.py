"""`look_ahead_of`: whether the decisions of a strategy depend on what nobody knew yet.

The strategy runs twice over the same days. In the first run it gets a store that shows what was
known at the moment of each day and no more. In the second, it gets the whole store, in which noise
takes the place of all that was not known, and what was corrected after the moment is shown as it
was before. A strategy that reads only what was known decides the same in both.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import zip_longest
from random import Random
from typing import Any, NamedTuple

from msgspec import Struct

from storecore.errors import InvalidData, shown
from storecore.protocols import DataStore
from storecore.testing.canonical import canonical
from storecore.testing.staged import Staged
from storecore.values.times import exact_datetime

Strategy = Callable[[Any, datetime], Any]
"""A function of a store and a moment, which returns its decisions of that moment, or logs them."""


class LookAheadFinding(Struct, frozen=True):
    """The first decision that depends on the future: its day and place, and what it was.

    `known` is the decision if only what was known is shown, `noise` the one with noise in the place
    of the future and without later corrections; None if there was none. `reads` are the calls of
    that day whose answer reached beyond the moment, or had rows that were corrected after it.
    """

    day: datetime
    number: int
    known: Any
    noise: Any
    reads: tuple[str, ...]

    def __str__(self) -> str:
        named = ", ".join(self.reads)
        reads = f"; reads that reached beyond it, or were corrected later: {named}" if named else ""
        known, noise = shown(self.known), shown(self.noise)
        alike = " (the texts leave out what differs; compare `known` and `noise`)"
        return (
            f"decision {self.number} of {self.day.isoformat(' ')} depends on what was not known: "
            f"{known} if the future is not shown, {noise} if it is noise and later corrections are "
            f"undone{alike if known == noise else ''}{reads}"
        )


def look_ahead_of(
    strategy: Strategy,
    store: DataStore,
    days: Iterable[datetime],
    *,
    lengths: Mapping[str, timedelta] | None = None,
    seed: int = 0,
) -> LookAheadFinding | None:
    """Run a strategy twice and return the first decision that looks ahead, or None.

    `strategy(store, day)` is called for each of `days`, the moments at which it decides, in
    ascending order. If it is a class, each run makes an instance first, which may cache. What it
    returns, one decision or a list, and what it logs are its decisions. It gets a store with the
    capabilities of `store` that read, and may log and save states: nothing is written to `store`.
    The store that it gets is cut at no time: a strategy that reads without an `end` looks ahead,
    and one that reads through `store.at(day)` does not. An error that it raises in one run only is
    a difference; one of both runs is raised. Decisions are compared by value: numbers, text, lists,
    dicts, arrays, frames, dataclasses, and objects by their attributes. Raises `InvalidData` for
    others, and if there are no days: then nothing would be proven.

    A bar or fundamental that `store` replaced after the moment is shown in the second run as it was
    before: a strategy that used what was corrected later is named, unless it reads through
    `store.at(moment, recorded=…)` what was held before the correction. That needs a store with
    `History`, and finds what it still has of it.
    """
    moments = [exact_datetime(day, f"days[{number}]") for number, day in enumerate(days)]
    if not moments:
        raise InvalidData("days: expected the moments at which the strategy decides, got none")
    known, noisy = (
        _outcomes(strategy, Staged(store, lengths, noise), moments)
        for noise in (None, Random(seed))
    )
    for day, one, other in zip(moments, known, noisy, strict=True):
        if one.error is not None and type(one.error) is type(other.error):
            raise one.error
        found = _difference(one, other)
        if found is not None:
            return LookAheadFinding(day, *found, tuple(sorted(other.reads)))
    return None


class _Outcome(NamedTuple):
    """The decisions of a day, the error that ended it, and the reads that reached beyond it.

    `forms` are the decisions, then the type of the error, as they can be compared.
    """

    decisions: list[Any]
    error: Exception | None
    forms: list[Hashable]
    reads: set[str]


def _outcomes(strategy: Strategy, store: Staged, days: list[datetime]) -> list[_Outcome]:
    decide = strategy() if isinstance(strategy, type) else strategy
    found = []
    for day in days:
        store.stand(day)
        error = None
        try:
            decided = decide(store, day)
        except Exception as raised:
            decided, error = None, raised
        given = decided if isinstance(decided, list | tuple) else [decided]
        made = [*store.logged, *(each for each in given if each is not None)]
        what = f"of {day.isoformat(' ')}"
        forms = [canonical(each, f"decision {n} {what}") for n, each in enumerate(made)]
        forms.append(str(type(error)))
        found.append(_Outcome([*made, error], error, forms, store.beyond))
    return found


def _difference(known: _Outcome, noisy: _Outcome) -> tuple[int, Any, Any] | None:
    decisions = zip_longest(known.decisions, noisy.decisions)
    forms = zip_longest(known.forms, noisy.forms)
    for number, (pair, (one, other)) in enumerate(zip(decisions, forms, strict=True)):
        if one != other:
            return number, *pair
    return None
