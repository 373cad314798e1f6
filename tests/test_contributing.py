"""CONTRIBUTING.md tells backend authors of every law, hook, capability, promise and option."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import fields

from storecore import hooks
from storecore.capabilities import CAPABILITIES
from storecore.testing.givens import GIVEN
from storecore.testing.lawbook import LAWS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
AUTHORS = PAGE.partition("## Writing a backend")[2].partition("## Decisions")[0]
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
