"""Records what a store asks of the disk: it stands in for the functions of `os` that change files.

What they did is kept, in order, for `replay/` to lay out what a crash after any of it may leave.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter, defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest


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
        self.killed_after: int | None = None  # so many steps, and then nothing is done any more
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
        self.content[file] = self.changed(self.content[file], (offset, data))
        self.steps.append(Step("data", file, (offset, data)))

    def name(self, folder: Path, **names: Any) -> None:
        """Let names of a folder stand for other files, or (None) for none, at once."""
        self.apply(self.names[folder], names)
        self.steps.append(Step("name", folder, names))

    def at(self, path: Any) -> tuple[Path, str]:
        return Path(path).parent, Path(path).name

    def mark(self, what: Any) -> None:
        """Note that something happened that is no change, so that states can be judged by it."""
        self.steps.append(Step("mark", what))

    @staticmethod
    def changed(content: bytes, change: tuple[int, bytes | None]) -> bytes:
        offset, data = change
        if data is None:
            return content[:offset].ljust(offset, b"\0")
        return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :]

    @staticmethod
    def apply(names: dict[str, Any], change: dict[str, Any]) -> None:
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


class Killed(BaseException):
    """The process is no more: whatever it still asks for is not done."""


def watched(recorder, name, real):
    def call(*args, **kwargs):
        limit = recorder.killed_after
        if name != "close" and limit is not None and len(recorder.steps) >= limit:
            raise Killed
        result = real(*args, **kwargs)
        WATCHED[name](recorder, result, *args)
        return result

    return call


@pytest.fixture
def killed():
    """What a recorder raises in a process that it has killed."""
    return Killed


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


@pytest.fixture
def wrong_versions():
    """Return what is wrong with the versions of a symbol, given which volumes were acknowledged.

    Each of its bars was rewritten with ever other volumes, and never deleted.
    """

    def wrong(store, symbol, acknowledged):
        versions, of_bar = store.bar_versions(symbol), defaultdict(list)
        for each in versions:
            of_bar[each.bar.date].append(each)
        found = Counter(each.bar.volume for each in versions)
        present = [each[-1].bar for each in of_bar.values() if each[-1].replaced_at is None]
        return [
            *(f"{symbol}: version {each} is lost" for each in sorted(acknowledged - found.keys())),
            *(f"{symbol}: version {each} is there twice" for each in found if found[each] > 1),
            *(
                f"{symbol}: {one} is not followed by {other} at once"
                for each in of_bar.values()
                for one, other in itertools.pairwise(each)
                if one.replaced_at != other.recorded_at
            ),
            *([] if present == store.read_bars(symbol) else [f"{symbol}: {present} is read else"]),
        ]

    return wrong
