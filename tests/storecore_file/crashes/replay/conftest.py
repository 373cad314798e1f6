"""Replays what was recorded: every tree that a POSIX file system may show after a power cut.

What was synced is there. Of what was not, data may be lost, kept up to a point or torn there, and
each new name, rename and removal may have happened or not, in any combination.

The default run lays out a share of these trees (`every`), the soak run all of them.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from storecore_file.events import index, open_day

MOST = 400  # combinations at one point, beyond which one thing at a time is varied


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Give a log of events an index as soon as it has two lines."""
    for module in (index, open_day):
        monkeypatch.setattr(module, "BLOCK", 300)
    monkeypatch.setattr(index, "_PROBE", 100)


def crash_states(recorder, count):
    """Yield the trees, as {path: content or None for a folder}, that a crash may leave."""
    content, names = recorder.first
    content = {number: content.get(number, b"") for number in recorder.content}
    names = {at: dict(names.get(at, {})) for at in recorder.names}
    pending: dict[Any, list[Any]] = {}
    for step in recorder.steps[:count]:
        if step.what in ("data", "name"):
            pending.setdefault(step.where, []).append(step.change)
        elif step.what == "sync":
            for change in pending.pop(step.where, []):
                if isinstance(step.where, Path):
                    recorder.apply(names[step.where], change)
                else:
                    content[step.where] = recorder.changed(content[step.where], change)
    seen = set()
    for chosen in combinations({where: choices(changes) for where, changes in pending.items()}):
        tree = dict(tree_of(recorder, recorder.root, content, names, chosen))
        key = frozenset(tree.items())
        if key not in seen:
            seen.add(key)
            yield tree


def choices(changes):
    """Return which of some changes that were not synced may have happened."""
    if isinstance(changes[0], dict) and len(changes) <= 5:
        sizes = range(len(changes) + 1)
        return [list(some) for size in sizes for some in itertools.combinations(changes, size)]
    prefixes = [changes[:end] for end in range(len(changes) + 1)]
    lost = [changes[:at] + changes[at + 1 :] for at in range(len(changes))]
    torn = []
    for end, change in enumerate(changes):
        if not isinstance(change, dict) and change[1] is not None:
            offset, data = change
            torn += [[*changes[:end], (offset, data[:part])] for part in (1, len(data) // 2, -1)]
    return prefixes + lost + torn


def combinations(options):
    """Yield one choice for each place: all combinations, or one place at a time if too many."""
    places, lists = list(options), list(options.values())
    total = 1
    for each in lists:
        total *= len(each)
    if total <= MOST:
        for chosen in itertools.product(*lists):
            yield dict(zip(places, chosen, strict=True))
        return
    for rest in (min, max):
        others = {place: rest(options[place], key=len) for place in places}
        for place in places:
            for choice in options[place]:
                yield {**others, place: choice}


def tree_of(recorder, folder, content, names, chosen, within=""):
    here = dict(names[folder])
    for change in chosen.get(folder, []):
        recorder.apply(here, change)
    for name, file in here.items():
        path = f"{within}{name}"
        if isinstance(file, Path):
            yield path, None
            yield from tree_of(recorder, file, content, names, chosen, f"{path}/")
        else:
            data = content[file]
            for change in chosen.get(file, []):
                data = recorder.changed(data, change)
            yield path, data


def lay_out(tree, root):
    """Write a tree to the disk."""
    root.mkdir()
    for path, content in tree.items():
        if content is None:
            (root / path).mkdir(parents=True, exist_ok=True)
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)


@pytest.fixture(params=[15, pytest.param(1, marks=pytest.mark.soak)], ids=["a share", "all"])
def every(request):
    """Of how many trees one is laid out."""
    return request.param


@pytest.fixture
def after_crashes(tmp_path):
    """Yield (steps before the crash, folder) for every state that a crash may leave, or a share."""

    def each(recorder, since=0, every=1):
        seen, numbers = set(), itertools.count()
        marks = 0
        for count in range(since, len(recorder.steps) + 1):
            marks += count > 0 and recorder.steps[count - 1].what == "mark"
            for tree in crash_states(recorder, count):
                key = (marks, frozenset(tree.items()))
                if key not in seen:
                    seen.add(key)
                    number = next(numbers)
                    if number % every:
                        continue
                    folder = tmp_path / f"crash {number}"
                    lay_out(tree, folder)
                    yield recorder.steps[:count], folder

    return each
