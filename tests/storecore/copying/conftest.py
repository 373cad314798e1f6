"""Stores to copy between: of files, in memory, by someone else, and with some capabilities only."""

from __future__ import annotations

from contextlib import ExitStack
from types import ModuleType

import pytest

import storecore
from storecore.builtin.memory import MemoryDataStore
from storecore.cli.scaffold.names import Names
from storecore.cli.scaffold.project import project
from storecore.store.wrapper import Wrapper


@pytest.fixture
def files(tmp_path):
    """Open a store of files by the name of its folder."""
    with ExitStack() as stack:

        def opened(name, **options):
            options = {"base_path": tmp_path / name, "durability": "os", **options}
            return stack.enter_context(storecore.open_store("file", **options))

        yield opened


@pytest.fixture
def source():
    return MemoryDataStore()


@pytest.fixture
def target():
    return MemoryDataStore()


@pytest.fixture
def limited():
    """Return a store that has the ten methods and some capabilities of another one."""
    return lambda store, *capabilities: Wrapper(store, capabilities)


@pytest.fixture
def sqlite(tmp_path):
    """A store of the ten methods alone, by someone else."""
    module = ModuleType("storecore_sqlite")
    exec(project(Names("sqlite"))["storecore_sqlite.py"], vars(module))
    config = module.SqliteConfig(tmp_path / "desk.db")
    with Wrapper(module.storecore_backend().open(config), ()) as store:
        yield store


@pytest.fixture
def found():
    """Return what a report says of one kind: the one thing of it that was copied."""

    def of(report, kind):
        (each,) = (each for each in report.copied if each.kind == kind)
        return each

    return of
