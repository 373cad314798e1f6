"""Records what a store asks of the disk, and replays every state that a crash may leave.

The recorder stands in for the functions of `os` that change files and keeps what they did, in
order. `crash_states` takes the first so many of these and yields the trees that a POSIX file system
may show after a power cut there: what was synced is there; of what was not, data may be lost, kept
up to a point or torn there, and each new name, rename and removal may have happened or not, in any
combination.
"""

from __future__ import annotations

import itertools
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

MOST = 400  # combinations at one point, beyond which one thing at a time is varied


class Step(NamedTuple):
    """One change: of a file's data, of a folder's names, a sync of either, or a mark."""

    what: str  # "data", "name", "sync", "mark"
    where: Any  # a file's number, or a folder
    change: Any = None


class Recorder:
    """What was asked of the disk since it was started, under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.steps: list[Step] = []
        self.content: dict[int, bytes] = {}  # files as a running process sees them
        self.names: dict[Path, dict[str, Any]] = {}  # folder: name: file's number or folder
        self.open: dict[int, Any] = {}
        for folder, folders, files in os.walk(root):
            here = Path(folder)
            self.names[here] = {name: here / name for name in folders}
            for name in files:
                self.names[here][name] = self.new_file((here / name).read_bytes())
        self.first = dict(self.content), {at: dict(names) for at, names in self.names.items()}

    def new_file(self, content: bytes = b"") -> int:
        self.content[len(self.content)] = content
        return len(self.content) - 1

    def data(self, file: int, offset: int, data: bytes | None) -> None:
        """Write at an offset, or cut there."""
        self.content[file] = changed(self.content[file], (offset, data))
        self.steps.append(Step("data", file, (offset, data)))

    def name(self, folder: Path, **names: Any) -> None:
        """Let names of a folder stand for other files, or (None) for none, at once."""
        apply_names(self.names[folder], names)
        self.steps.append(Step("name", folder, names))

    def at(self, path: Any) -> tuple[Path, str]:
        return Path(path).parent, Path(path).name

    def mark(self, what: Any) -> None:
        """Note that something happened that is no change, so that states can be judged by it."""
        self.steps.append(Step("mark", what))


def changed(content: bytes, change: tuple[int, bytes | None]) -> bytes:
    offset, data = change
    if data is None:
        return content[:offset].ljust(offset, b"\0")
    return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :]


def apply_names(names: dict[str, Any], change: dict[str, Any]) -> None:
    for name, file in change.items():
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


@pytest.fixture
def record():
    """Record, as a context manager, what is asked of the disk under a folder."""

    @contextmanager
    def recording(root):
        recorder = Recorder(root)
        with pytest.MonkeyPatch.context() as patched:
            for name in WATCHED:
                patched.setattr(os, name, watched(recorder, name, getattr(os, name)))
            yield recorder

    return recording


def watched(recorder, name, real):
    def call(*args, **kwargs):
        result = real(*args, **kwargs)
        WATCHED[name](recorder, result, *args)
        return result

    return call


def on_open(recorder, file, path, flags, *_):
    folder, name = recorder.at(path)
    if Path(path) in recorder.names:
        recorder.open[file] = Path(path)
    elif folder in recorder.names:
        if name not in recorder.names[folder]:
            recorder.name(folder, **{name: recorder.new_file()})
        recorder.open[file] = recorder.names[folder][name]
        if flags & os.O_TRUNC:
            recorder.data(recorder.open[file], 0, None)


def on_write(recorder, written, file, data):
    number = recorder.open[file]  # all that write without an offset append, or write anew
    recorder.data(number, len(recorder.content[number]), bytes(data[:written]))


def on_pwrite(recorder, written, file, data, offset):
    recorder.data(recorder.open[file], offset, bytes(data[:written]))


def on_ftruncate(recorder, _, file, length):
    recorder.data(recorder.open[file], length, None)


def on_truncate(recorder, _, path, length):
    folder, name = recorder.at(path)
    recorder.data(recorder.names[folder][name], length, None)


def on_sync(recorder, _, file):
    recorder.steps.append(Step("sync", recorder.open[file]))


def on_replace(recorder, _, old, new):
    folder, name = recorder.at(old)
    recorder.name(folder, **{Path(new).name: recorder.names[folder][name], name: None})


def on_link(recorder, _, old, new):
    folder, name = recorder.at(old)
    recorder.name(folder, **{Path(new).name: recorder.names[folder][name]})


def on_unlink(recorder, _, path):
    folder, name = recorder.at(path)
    recorder.name(folder, **{name: None})


def on_mkdir(recorder, _, path, *__):
    folder, name = recorder.at(path)
    recorder.names[Path(path)] = {}
    recorder.name(folder, **{name: Path(path)})


def on_close(recorder, _, file):
    recorder.open.pop(file, None)


WATCHED = {
    "open": on_open,
    "write": on_write,
    "pwrite": on_pwrite,
    "ftruncate": on_ftruncate,
    "truncate": on_truncate,
    "fsync": on_sync,
    "fdatasync": on_sync,
    "replace": on_replace,
    "link": on_link,
    "unlink": on_unlink,
    "mkdir": on_mkdir,
    "close": on_close,
}


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
                    apply_names(names[step.where], change)
                else:
                    content[step.where] = changed(content[step.where], change)
    seen = set()
    for chosen in combinations({where: choices(changes) for where, changes in pending.items()}):
        tree = dict(tree_of(recorder.root, recorder.root, content, names, chosen))
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


def tree_of(root, folder, content, names, chosen):
    here = dict(names[folder])
    for change in chosen.get(folder, []):
        apply_names(here, change)
    for name, file in here.items():
        path = (folder / name).relative_to(root)
        if isinstance(file, Path):
            yield path, None
            yield from tree_of(root, file, content, names, chosen)
        else:
            data = content[file]
            for change in chosen.get(file, []):
                data = changed(data, change)
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


@pytest.fixture
def after_crashes(tmp_path):
    """Yield (steps before the crash, folder) for every state that a crash may leave."""

    def each(recorder):
        seen, numbers = set(), itertools.count()
        marks = 0
        for count in range(len(recorder.steps) + 1):
            marks += count > 0 and recorder.steps[count - 1].what == "mark"
            for tree in crash_states(recorder, count):
                key = (marks, frozenset(tree.items()))
                if key not in seen:
                    seen.add(key)
                    folder = tmp_path / f"crash {next(numbers)}"
                    lay_out(tree, folder)
                    yield recorder.steps[:count], folder

    return each
