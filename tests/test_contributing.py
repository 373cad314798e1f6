"""CONTRIBUTING.md tells backend authors of every law, hook, capability, promise and option."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from msgspec.structs import fields

import storecore
from storecore.plugins import spec as hooks
from storecore.protocols import CAPABILITIES
from storecore.testing import DataStoreSuite
from storecore.testing.givens import GIVEN
from storecore.testing.lawbook import LAWS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
AUTHORS = PAGE.partition("## Writing a backend")[2].partition("## Decisions")[0]
SHORT = re.search(r"### A backend in under 70 lines.*?```python\n(.*?)```", PAGE, re.S)[1]
ENTRY_POINT = re.search(r'```toml\n\[project\.entry-points\."(.+?)"\]\n(.*?)```', PAGE, re.S)
HOOKS = [name for name in vars(hooks) if name.startswith("storecore_")]
OPTIONS = re.findall(r'"(--storecore-[a-z-]+)"', (ROOT / "storecore/testing/plugin.py").read_text())


@pytest.mark.parametrize("name", LAWS)
def test_each_law_stands_there_with_its_reason_as_the_kit_has_them(name):
    assert f"| {name} | {LAWS[name].says} | {LAWS[name].why} |\n" in PAGE


def test_no_law_stands_there_that_the_kit_does_not_have():
    assert set(re.findall(r"^\| ([A-Z]\d) \|", PAGE, re.M)) == LAWS.keys()


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_told_to_backend_authors(name):
    assert f"`{name}(" in AUTHORS


@pytest.mark.parametrize(
    "name", [*hooks.BackendSpec.__struct_fields__, *CAPABILITIES, *hooks.PROMISES]
)
def test_each_field_capability_and_promise_is_told_to_backend_authors(name):
    assert f"`{name}`" in AUTHORS


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_each_fixture_that_a_suite_may_give_is_told(name):
    assert re.search(rf"`{name}`|def {name}\(", AUTHORS)


@pytest.mark.parametrize("option", sorted(set(OPTIONS)))
def test_each_option_of_the_kit_is_told(option):
    assert f"`{option} " in AUTHORS


def test_the_spec_has_no_field_without_a_word():
    assert len(fields(hooks.BackendSpec)) == AUTHORS.partition("**Config.**")[0].count("\n| `")


def test_the_suite_on_the_page_is_the_one_of_the_package():
    tests = ROOT / "tests" / "third_party" / "storecore-sqlite" / "tests" / "test_laws.py"
    code = re.sub(r"\s+#.*|    known_failures = .*\n\n", "", AUTHORS)
    for line in tests.read_text().splitlines()[2:]:
        assert line in code


def test_the_short_backend_is_short():
    assert len(SHORT.splitlines()) < 70


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The page's short backend as an installed distribution, found through its entry point."""
    info = tmp_path / "site" / "storecore_sqlite-1.0.dist-info"
    info.mkdir(parents=True)
    (info.parent / "storecore_sqlite.py").write_text(SHORT)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: storecore-sqlite\nVersion: 1.0\n")
    group, declared = ENTRY_POINT.groups()
    (info / "entry_points.txt").write_text(f"[{group}]\n{declared.replace(chr(34), '')}")
    monkeypatch.syspath_prepend(info.parent)
    yield
    sys.modules.pop("storecore_sqlite", None)


def test_the_short_backend_is_found_by_its_name_and_keeps_what_it_is_given(installed, tmp_path):
    for expected in (None, {"cash": 1.5}):
        with storecore.open_store("sqlite", path=tmp_path / "desk.db") as store:
            assert store.load_strategy_state("value") == expected
            store.save_strategy_state("value", {"cash": 1.5})
        store._file.close()


def test_the_options_of_the_short_backend_are_checked(installed):
    with pytest.raises(storecore.ConfigError, match="did you mean 'path'"):
        storecore.open_store("sqlite", pth="desk.db")


class TestShort(DataStoreSuite):
    """The short backend obeys every law that needs no medium."""

    @pytest.fixture
    def module(self):
        module = ModuleType("short")
        exec(SHORT, vars(module))
        return module

    @pytest.fixture
    def spec(self, module):
        return module.storecore_backend()

    @pytest.fixture
    def store(self, module):
        with module.SqliteStore(module.SqliteConfig(Path(":memory:"))) as store:
            yield store
        store._file.close()
