"""Law D7: what only looks takes no lock and makes no file, and needs no right to."""

from __future__ import annotations

import os
import subprocess
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from storecore.cli.app import app
from storecore_file import FileDataStore
from storecore_file.fs import locks

ALL = date.min, date.max


@pytest.fixture
def full(base, all_kinds):
    """A folder with all kinds of files, and no lock."""
    with FileDataStore(base) as store:
        all_kinds(store)
    for lock in base.rglob("*lock"):
        lock.unlink()
    return base


def snapshot(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("*")}


LOOKS = {
    "verify": lambda store: store.verify().ok,
    "verify_audit": lambda store: store.verify_audit().ok,
    "repair": lambda store: store.repair(dry_run=True).ok,
    "read_bars": lambda store: len(store.read_bars("AAPL", *ALL)) == 2,
    "read_events": lambda store: len(store.read_events(*ALL)) == 4,
    "iter_audit": lambda store: len(list(store.iter_audit("orders"))) == 1,
}


@pytest.mark.parametrize("look", LOOKS)
def test_d7_a_look_at_a_store_changes_nothing_in_it(full, look, monkeypatch):
    monkeypatch.setattr(locks.Locked, "__enter__", lambda lock: pytest.fail("it takes a lock"))
    with FileDataStore(full) as store:
        before = snapshot(full)
        assert LOOKS[look](store)
        assert snapshot(full) == before


@pytest.mark.parametrize(
    "command", [["verify"], ["info"], ["show", "AAPL"], ["repair", "--dry-run"]]
)
def test_d7_a_command_that_looks_changes_nothing(full, command):
    before = snapshot(full)
    options = ["--backend", "file", "--set", f"base_path={full}"]
    result = CliRunner().invoke(app, [*command, *options])
    assert result.exit_code == 0, result.output
    assert snapshot(full) == before


@pytest.fixture(params=["bind", "remount"])
def mounted(request, full, tmp_path):
    """The store on a mount that may only be read."""
    place = tmp_path / "mounted"
    place.mkdir()
    if request.param == "bind":
        commands = [["mount", "--bind", full, place], ["mount", "-o", "remount,ro,bind", place]]
    else:
        commands = [["mount", "-t", "tmpfs", "none", place], ["cp", "-a", f"{full}/.", place]]
        commands.append(["mount", "-o", "remount,ro", place])
    if os.getuid() != 0 or subprocess.run(commands[0], check=False).returncode:
        pytest.skip("mounting takes a root who may")
    try:
        for command in commands[1:]:
            subprocess.run(command, check=True)
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("look", LOOKS)
def test_d7_a_store_on_a_read_only_mount_is_proven_and_read(mounted, look):
    with FileDataStore(mounted) as store:
        assert LOOKS[look](store)
    with pytest.raises(OSError, match="Read-only"):
        Path(mounted / "x").touch()


def test_a_repair_of_a_read_only_store_says_that_it_could_not(mounted):
    with FileDataStore(mounted) as store:
        assert store.repair().ok


def test_d7_a_look_does_not_wait_for_a_writer(full):
    holder = FileDataStore(full)
    with (
        locks.Locked(full / "audit" / "orders" / ".lock", 1),
        FileDataStore(full, lock_timeout=0) as s,
    ):
        assert s.verify().ok
        assert s.verify_audit().ok
    holder.close()
