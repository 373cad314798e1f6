"""BACKENDS.md documents every hook, field, capability, promise, helper and option to authors."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import tomllib
from inspect import getattr_static
from pathlib import Path
from types import ModuleType

import pytest

import storecore
from storecore.cli.scaffold.names import Names
from storecore.cli.scaffold.project import project
from storecore.config.open import prepare
from storecore.plugins import known
from storecore.plugins import spec as hooks
from storecore.plugins.process_state import state
from storecore.protocols import CAPABILITIES, METHODS
from storecore.store import collections
from storecore.store.base import Store
from storecore.testing import DataStoreSuite
from storecore.testing.fixtures import GIVEN

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "storecore/plugins/BACKENDS.md").read_text()
PROJECT = project(Names("sqlite"))  # as `storecore new-backend sqlite` writes it
HOOKS = [name for name in vars(hooks) if name.startswith("storecore_")]
OPTIONS = re.findall(r'"(--storecore-[a-z-]+)"', (ROOT / "storecore/testing/plugin.py").read_text())


def section(title):
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)[1]


def blocks(language, title):
    return re.findall(rf"^```{language}\n(.*?)^```", section(title), re.M | re.S)


ONE = "1. `RowStore`: a sorted table"
FIVE = "2. `Store`: five collections"
(SMALL,) = blocks("python", FIVE)
COLLECTIONS = {
    name: value
    for name, value in vars(collections).items()
    if isinstance(value, type) and value.__module__ == collections.__name__
}


def module_of(source, name):
    module = ModuleType(name)
    exec(source, vars(module))
    return module


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_documented(name):
    assert f"`{name}(" in PAGE


@pytest.mark.parametrize("name", hooks.BackendSpec.__struct_fields__)
def test_each_field_of_the_spec_is_documented(name):
    assert f"\n| `{name}` |" in section("The spec")


@pytest.mark.parametrize("name", hooks.PROMISES)
def test_each_promise_is_documented(name):
    assert f"\n| `{name}` |" in section("The spec")


@pytest.mark.parametrize("name", CAPABILITIES)
def test_each_capability_is_documented_with_the_collection_methods_it_needs(name):
    row = re.search(rf"^\| `{name}` \|.*\| (.*?) \|$", section("Capabilities"), re.M)[1]
    ours = [each for each in METHODS.values() if each.capability == name]
    needed = {
        need for each in ours for need in getattr(getattr_static(Store, each.name), "needs", ())
    }
    assert set(re.findall(r"`(\w+\.\w+)`", row)) == needed


@pytest.mark.parametrize("name", [name for name in COLLECTIONS if name != "Collection"])
def test_each_collection_is_documented_with_its_required_methods_and_its_defaults(name):
    row = re.search(rf"^\| `{name}`[^|]*\|(.*?)\|(.*?)\|", section(FIVE), re.M)
    kind = COLLECTIONS[name]
    methods = {each for each, value in vars(kind).items() if callable(value) and each[0] != "_"}
    required = set(kind.__abstractmethods__)
    assert [set(re.findall(r"`(\w+)`", cell)) for cell in row.groups()] == [
        required,
        methods - required,
    ]


@pytest.mark.parametrize("tier", ["_EXTEND", "_INSPECT"])
def test_each_helper_is_documented(tier):
    names = " ".join(getattr(storecore, tier).values()).split()
    assert [name for name in names if f"`{name}`" not in section("Helpers")] == []


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_each_fixture_that_a_suite_may_give_is_documented(name):
    assert f"\n| `{name}` |" in section("The kit")


@pytest.mark.parametrize("option", sorted(set(OPTIONS)))
def test_each_option_of_the_kit_is_documented(option):
    assert f"`{option} " in section("The kit")


def test_the_backend_of_the_guide_is_that_of_a_new_package():
    shown, _, _ = blocks("python", ONE)
    assert shown == PROJECT["storecore_sqlite.py"]


def test_the_backend_of_the_guide_has_at_most_seventy_lines():
    source = PROJECT["storecore_sqlite.py"]
    assert len([line for line in source.splitlines() if line]) <= 70


def test_the_metadata_of_the_guide_is_that_of_a_new_package():
    (shown,) = blocks("toml", ONE)
    whole = tomllib.loads(PROJECT["pyproject.toml"])["project"]
    assert tomllib.loads(shown)["project"].items() <= whole.items()


def test_the_suite_of_the_guide_is_that_of_a_new_package():
    (shown,) = blocks("python", "The kit")
    assert PROJECT["tests/test_laws.py"].endswith("\n\n" + shown)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package of the guide as an installed distribution, found through its entry point."""
    info = tmp_path / "site" / "storecore_sqlite-1.0.dist-info"
    info.mkdir(parents=True)
    (info.parent / "storecore_sqlite.py").write_text(PROJECT["storecore_sqlite.py"])
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: storecore-sqlite\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[storecore.backends]\nsqlite = storecore_sqlite\n")
    monkeypatch.syspath_prepend(info.parent)
    yield
    sys.modules.pop("storecore_sqlite", None)


def test_the_backend_of_the_guide_is_found_by_its_name_and_keeps_what_it_is_given(
    installed, tmp_path
):
    for expected in (None, {"cash": 1.5}):
        with storecore.open_store("sqlite", path=tmp_path / "desk.db") as store:
            assert store.load_strategy_state("value") == expected
            store.save_strategy_state("value", {"cash": 1.5})


def test_the_event_of_the_guide_is_written_and_read(installed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _, by_hand, _ = blocks("python", ONE)
    exec(by_hand, {})
    assert "payload={'text': 'hello'}" in capsys.readouterr().out


@pytest.fixture
def desk(installed, tmp_path, monkeypatch):
    """A store of the guide's subclass of `RowStore`, open; and a function that opens it again."""
    monkeypatch.setitem(sys.modules, "desk", ModuleType("desk"))  # where pickle looks for it
    _, _, source = blocks("python", ONE)
    exec(source, vars(sys.modules["desk"]))
    from storecore_sqlite import SqliteConfig

    (tmp_path / "link").symlink_to(tmp_path)
    opens = sys.modules["desk"].DeskStore
    with opens(SqliteConfig(tmp_path / "desk.db")) as store:
        yield store, lambda name: opens(SqliteConfig(tmp_path / name))


def test_a_copy_of_the_store_of_the_guide_by_pickle_has_its_data(desk):
    store, _ = desk
    with pickle.loads(pickle.dumps(store)) as copy:
        copy.save_strategy_state("value", {"cash": 1.5})
    assert store.load_strategy_state("value") == {"cash": 1.5}


def test_a_copy_by_pickle_makes_no_store_where_it_is_gone(desk, tmp_path):
    store, _ = desk
    store.close()
    (tmp_path / "desk.db").unlink()
    with pytest.raises(storecore.NoStore, match=r"desk\.db: there is no store"):
        pickle.loads(pickle.dumps(store))


def test_the_store_of_the_guide_is_named_by_its_path(desk, tmp_path):
    store, _ = desk
    store.close()
    assert repr(store) == f"DeskStore({str(tmp_path / 'desk.db')!r})"


FORKS = """
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

HANDLES.open["desk.db"] = 3
child = get_context("fork").Process(target=lambda: os._exit(3 + len(HANDLES.open)))
child.start()
child.join()
assert (child.exitcode, HANDLES.open) == (3, {"desk.db": 3})
with ThreadPoolExecutor(1) as pool:  # the parent has released the lock after the fork
    assert pool.submit(HANDLES.lock.acquire, timeout=5).result()
"""


def test_a_forked_child_has_a_free_lock_and_no_handle_in_the_example_of_the_guide():
    (source,) = blocks("python", "The spec")
    program = source + FORKS  # in a process of its own, whose later forks it would change
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_the_store_of_the_guide_shares_its_place_with_itself_alone(desk):
    store, opened = desk
    with opened("link/desk.db") as same, opened("other.db") as other:
        assert (set(store.places()) == set(same.places())) is True
        assert set(store.places()).isdisjoint(other.places())


def test_the_options_of_the_backend_of_the_guide_are_checked(installed):
    with pytest.raises(storecore.ConfigError, match="did you mean 'path'"):
        storecore.open_store("sqlite", pth="desk.db")


def test_the_nested_config_of_the_guide_is_valid():
    (shown,) = blocks("toml", "Wrappers")
    assert prepare(tomllib.loads(shown)["store"]).spec.name == "cached"


def test_the_wrapper_of_the_guide_reads_and_refuses_to_write(bar):
    (source,) = blocks("python", "Wrappers")
    frozen = module_of(source, "frozen")
    nested = prepare("memory")
    config = frozen.FrozenConfig(nested)
    with frozen.storecore_backend().open(config) as store:
        assert store.symbols() == []
        with pytest.raises(storecore.StorageError, match=r"write_bars: .* is frozen"):
            store.write_bars("AAPL", [bar()])


def test_the_example_of_a_registered_backend_runs_and_leaves_none():
    (source,) = blocks("python", "Without a package")
    module_of(source, "registered")
    assert "fake" not in [each.name for each in storecore.backends()]


def test_the_table_of_known_backends_is_the_one_that_the_command_prints():
    assert f"\n{known.markdown()}\n" in section("Known backends")


def test_how_to_be_listed_is_the_one_of_the_code():
    shown = section("Known backends").partition("### How to be listed\n")[2].partition("\n### ")[0]
    steps = [f"{number}. {step}" for number, step in enumerate(known.TO_BE_LISTED, 1)]
    assert " ".join(steps) in " ".join(shown.split())
    assert known.ISSUES in shown


def test_the_wish_list_is_the_one_of_the_code():
    shown = section("Known backends").partition("### Wish list\n")[2]
    assert f"\n{known.wishes()}" in shown


@pytest.mark.parametrize(("tier", "meaning"), known.TIERS.items())
def test_each_tier_is_documented(tier, meaning):
    assert f"\n- *{tier}*: {meaning}.\n" in section("Known backends")


@pytest.mark.parametrize("part", state())
def test_each_part_of_the_process_that_a_plugin_may_not_change_is_documented(part):
    assert part.partition(" (")[0] in section("Checks of an installed plugin").replace("\n  ", " ")


class TestSmall(DataStoreSuite):
    """The small backend of the guide obeys every law that needs no medium."""

    @pytest.fixture
    def module(self):
        return module_of(SMALL, "notes")

    @pytest.fixture
    def spec(self, module):
        return module.storecore_backend()

    @pytest.fixture
    def store(self, module):
        with module.NotesStore(module.NotesConfig()) as store:
            yield store
