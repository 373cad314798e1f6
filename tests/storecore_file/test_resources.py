"""Law D5 where the system refuses: another user, no descriptor, no thread, little memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from storecore_file import FileDataStore, integrity

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="becomes another user, as root alone may")

# All modules are imported first: another user, or a process without descriptors, may not be able to
# read them later.
BEGIN = """if True:
    import importlib, os, pkgutil, resource, sys
    from datetime import date, datetime
    import storecore, storecore_file
    from storecore import StoreError, open_store
    from storecore_file import FileDataStore

    for package in (storecore, storecore_file):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__") and ".testing" not in module.name:
                importlib.import_module(module.name)

    ALL = date.min, date.max
    base = sys.argv[1]

    def kinds(report):
        return sorted({finding.kind for finding in report.findings})
"""
AS_NOBODY = """
    os.setgid(65534), os.setuid(65534)
    with FileDataStore(base, lock_timeout=0.1) as store:
        print(*kinds(store.verify()))
        report = store.repair()
        print(*kinds(report), len(report.actions))
        store._bars._appended = False
"""
NO_THREAD = """
    import pyarrow
    os.setgid(65534), os.setuid(65534)
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
    with FileDataStore(base, lock_timeout=0.1) as store:
        print(store.verify().ok)
        symbols = store.symbols()
        print(len(store.read_bars("AAPL", *ALL)), len(store.read_bar_table(symbols, *ALL)))
        print(len(store.read_events(*ALL)), sum(map(len, store.iter_bar_tables(symbols, *ALL))))
        print(store.compact().ok, store.repair().ok)
"""
FEW_FILES = """
    with FileDataStore(base, lock_timeout=0.1) as store:
        store.verify()  # all that is imported and opened once
        kept = []
        try:
            while True:
                kept.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        report = store.repair()
        print(*kinds(report), len(report.actions))
        store._bars._appended = False
        try:
            FileDataStore(base)
        except StoreError as error:
            print(type(error).__name__)
        for number in kept:
            os.close(number)
        print(store.verify().ok)
"""
OPENING = """
    backend = sys.argv[2]
    if backend == "again":
        open_store("file", base_path=base)
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    kept = []
    try:
        while True:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for name in ("file", {"backend": "file"}):
        try:
            open_store(name, base_path=base)
        except StoreError as error:
            print("Too many open files" in str(error), end=" ")
    for number in kept:
        os.close(number)
    open_store("file", base_path=base)
    print("opened")
"""
LITTLE_MEMORY = """
    import pyarrow
    with FileDataStore(base, lock_timeout=0.1) as store:
        store.verify()
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * 4096
        resource.setrlimit(resource.RLIMIT_AS, (used + 24 * 2**20, -1))
        report = store.repair()
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
        print(*kinds(report), len(report.actions))
        print(store.verify().ok)
"""


@pytest.fixture
def place(all_kinds, monkeypatch):
    """A folder with all kinds of files that any user may reach."""
    monkeypatch.setattr(integrity, "_PAUSE", 0)
    with tempfile.TemporaryDirectory() as made:
        base = Path(made) / "data"
        with FileDataStore(base, durability="os") as store:
            all_kinds(store)
        os.chmod(made, 0o755)
        yield base


def owned_by_nobody(base):
    for path in (base, *base.rglob("*")):
        os.chown(path, 65534, 65534)


def files(base):
    return {
        path: path.read_bytes()
        for path in base.rglob("*")
        if path.is_file() and not path.name.endswith("lock")
    }


def lines_of(script, source, *given):
    if not os.access(Path(os.sys.executable).resolve().parent, os.X_OK):
        pytest.skip("no other user may run this Python")
    output, _ = script(BEGIN + source, *given, traced=False).communicate(timeout=120)
    return output.splitlines()


CLOSED = [
    "prices/AAPL/2026-01.parquet",
    "fundamentals/AAPL/2026-01-06T00-00-00.000000Z.json",
    "events/2026-01-06.parquet",
    "events/.ends",
    "state/.+V+alue.json.1",
    "state/momentum.json",
    "prices/.journal/.ends",
]


def test_what_another_user_may_not_read_is_unchecked_and_stays(place, script):
    owned_by_nobody(place)
    for name in CLOSED:
        os.chown(place / name, 0, 0)
        os.chmod(place / name, 0o600)
    before = files(place)
    assert lines_of(script, AS_NOBODY, place) == ["unchecked", "unchecked 0"]
    assert files(place) == before


def test_a_folder_that_another_user_may_not_list_is_unchecked_and_stays(place, script):
    owned_by_nobody(place)
    for name in ("prices/AAPL", "fundamentals/AAPL", "events"):
        os.chown(place / name, 0, 0)
        os.chmod(place / name, 0o700)
    before = files(place)
    assert lines_of(script, AS_NOBODY, place) == ["unchecked", "unchecked 0"]
    assert files(place) == before


def test_a_reader_who_may_not_write_proves_a_store(place, script):
    owned_by_nobody(place)
    for path in (place, *place.rglob("*")):
        os.chmod(path, 0o555 if path.is_dir() else 0o444)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    source = AS_NOBODY.replace("report =", "print(store.verify_audit().ok); report =")
    assert lines_of(script, source, place) == ["", "True", "0"]
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_without_a_thread_to_be_had_all_is_read_by_the_one_there_is(place, script):
    owned_by_nobody(place)
    assert lines_of(script, NO_THREAD, place) == ["True", "2 6", "4 6", "True True"]


def test_without_descriptors_nothing_is_moved(place, script):
    before = files(place)
    assert lines_of(script, FEW_FILES, place) == ["unchecked 0", "StorageError", "True"]
    assert files(place) == before


@pytest.mark.parametrize("time", ["first", "again"])
def test_opening_without_descriptors_is_a_store_error_that_says_so(place, script, time):
    assert lines_of(script, OPENING, place, time) == ["True True opened"]


def test_with_little_memory_nothing_is_moved(place, script, event):
    with FileDataStore(place, durability="os") as store:
        text = "x" * 100_000
        store.write_events([event(payload={"text": f"{text}{number}"}) for number in range(300)])
        store.compact()
        store.save_strategy_state("large", {"text": "x" * 30_000_000})
    before = files(place)
    assert lines_of(script, LITTLE_MEMORY, place) == ["unchecked 0", "True"]
    assert files(place) == before
