"""`DataStoreSuite` is inherited, cannot be gutted, and knows its known failures."""

from __future__ import annotations

import subprocess
import sys

import pytest

import storecore.testing
from storecore.protocols import CAPABILITIES
from storecore.testing import DataStoreSuite, suite
from storecore.testing.fixtures import Fixtures
from storecore.testing.lawbook import LAWS, proves

KNOWN = "test_b1_last_write_wins"


def inherit(bases=(DataStoreSuite,), **given):
    return type("TestMine", bases, given)


def test_the_suite_is_all_that_the_package_gives():
    others = {"LookAheadFinding", "look_ahead_of"}  # for strategies
    assert set(storecore.testing.__all__) == {"DataStoreSuite", "KIT", "validate"} | others
    with pytest.raises(AttributeError, match="no attribute 'Suite'"):
        storecore.testing.Suite  # noqa: B018


@pytest.mark.parametrize("law", LAWS)
def test_each_law_has_a_test_named_after_it(law):
    assert [name for name in suite.tests() if law in proves(name, frozenset())]


@pytest.mark.parametrize("name", suite.tests())
def test_each_test_is_named_after_a_law_or_a_capability(name):
    proven = proves(name, frozenset(CAPABILITIES))
    assert proven
    assert set(proven) <= {*LAWS, *CAPABILITIES}


@pytest.mark.parametrize("name", CAPABILITIES)
def test_each_capability_has_its_laws_and_a_test_named_after_it(name):
    assert name in suite.CAPABILITY_LAWS
    assert [test for test in suite.tests() if proves(test, frozenset(CAPABILITIES)) == (name,)]


def test_no_name_stands_for_two_things():
    bases = {
        base
        for laws in (*suite.BASE_LAWS, *suite.CAPABILITY_LAWS.values())
        for base in laws.__mro__[: laws.__mro__.index(Fixtures)]
    }
    names = [name for base in bases for name in vars(base) if not name.startswith("__")]
    assert sorted(set(names)) == sorted(names)


def test_a_suite_of_no_tables_loads_no_arrow():
    program = "import sys, storecore.testing.suite; sys.exit('pyarrow' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_suite_may_give_all_that_it_may_give():
    given = dict.fromkeys(("store", "reopen", "spec", "place", "writer"), pytest.fixture(id))
    assert issubclass(inherit(**given, known_failures={KNOWN: "not yet"}), DataStoreSuite)


@pytest.mark.parametrize("name", [KNOWN, "subject", "having", "promised", "fresh_name"])
@pytest.mark.parametrize("value", [None, lambda self: None])
def test_a_test_or_fixture_of_the_kit_cannot_be_overridden(name, value):
    with pytest.raises(TypeError, match=f"TestMine overrides {name}: a law cannot be taken out"):
        inherit(**{name: value})


def test_a_mixin_cannot_override_a_test_either():
    mixin = type("Lenient", (), {KNOWN: lambda self: None})
    with pytest.raises(TypeError, match=f"overrides {KNOWN}"):
        inherit((mixin, DataStoreSuite))


def test_an_unknown_name_among_the_known_failures_is_refused():
    with pytest.raises(TypeError, match=rf"no test 'test_b1_lst_write_wins' \(.*'{KNOWN}'\?\)"):
        inherit(known_failures={"test_b1_lst_write_wins": "a typo"})


@pytest.mark.parametrize("reason", ["", " ", None])
def test_a_known_failure_needs_a_reason(reason):
    with pytest.raises(TypeError, match="needs the reason why"):
        inherit(known_failures={KNOWN: reason})


@pytest.mark.parametrize("given", [KNOWN, [KNOWN], None])
def test_known_failures_that_are_no_dict_are_refused(given):
    with pytest.raises(TypeError, match=r"known_failures: expected a dict of tests and reasons"):
        inherit(known_failures=given)


SPEC = "replace(storecore_backend(), {})"


@pytest.mark.parametrize(
    ("fixture", "value", "said"),
    [
        ("spec", SPEC.format("capabilities='Bulk Catalog'"), "set of names*got 'Bulk Catalog'"),
        ("spec", SPEC.format("capabilities=('Bulk',)"), "as frozenset({'BarTables'}); got ('Bulk'"),
        ("spec", SPEC.format("capabilities=len"), "function of the config: give spec.resolved("),
        (
            "spec",
            SPEC.format("optional='Bulk'"),
            "its optional to be a set of names*'Bulk'",
        ),
        ("spec", SPEC.format("promises='durable'"), "expected its promises to be a set*'durable'"),
        ("spec", "storecore_backend", "expected a BackendSpec, as storecore_backend() returns*"),
        ("store", "None", "expected an open store, got None"),
        ("store", "MemoryDataStore", "expected an open store, got <class*"),
        ("writer", "None", "expected an open store, got None"),
        ("place", "'data'", "expected the pathlib.Path of a folder or None, got 'data'"),
        ("reopen", "MemoryDataStore()", "expected a callable*got MemoryDataStore("),
        ("nowhere", "'data'", "expected a callable*got 'data'"),
        ("tamper", "True", "expected a callable*got True"),
    ],
)
def test_a_fixture_that_gives_something_else_says_what_is_expected(suite_run, fixture, value, said):
    """One that no test could use, or that would leave laws untried without a word."""
    body = f"""
        @pytest.fixture
        def {fixture}(self):
            from msgspec.structs import replace
            return {value}

        @pytest.fixture
        def _used(self, {fixture}):
            pass

        @pytest.fixture(autouse=True)
        def _each(self, _used):
            pass
    """
    is_store = fixture == "store"
    run = suite_run(store=f"(lambda: {value})") if is_store else suite_run(body=body.strip() + "\n")
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines(f"*the fixture TestOne.{fixture}: *{said.replace('[', '[[]')}*")


def test_fixtures_of_these_names_elsewhere_are_left_alone(pytester, inner):
    pytester.makepyfile(
        """
        import pytest
        from storecore.testing import DataStoreSuite

        @pytest.fixture
        def store():
            return None

        def test_b3_an_empty_batch_does(store):
            assert store is None
        """
    )
    inner(only="b3_an_empty_batch_does").assert_outcomes(passed=1)


def test_tests_of_ones_own_may_be_added(suite_run):
    run = suite_run(body="def test_mine(self, store): store.close()", only="mine")
    run.assert_outcomes(passed=1)
    run.stdout.no_fnmatch_line("*storecore: the laws*")


def test_a_backend_that_takes_in_no_versions_is_not_asked_to(suite_run):
    run = suite_run("-rs", store="Older", only="k1_versions_can_be_restored_twice")
    run.assert_outcomes(skipped=1)
    run.stdout.fnmatch_lines("*the backend does not take in versions of other stores*")


def test_a_suite_without_a_store_fails_and_says_what_it_needs(pytester, inner):
    pytester.makepyfile(
        """
        from storecore.testing import DataStoreSuite

        class TestNone(DataStoreSuite):
            pass
        """
    )
    run = inner(only="b3_an_empty_batch_does")
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines("*TestNone gives no fixture `store`*")


def test_a_module_of_ones_own_that_is_missing_is_reported_as_it_is(monkeypatch):
    monkeypatch.delitem(__import__("sys").modules, "storecore.testing.suite")
    monkeypatch.setitem(__import__("sys").modules, "storecore.testing.protocol", Failing("mine"))
    with pytest.raises(ModuleNotFoundError, match="mine"):
        storecore.testing.DataStoreSuite  # noqa: B018


class Failing:
    """A module of which nothing can be imported, because another one is missing."""

    def __init__(self, missing):
        self.missing = missing

    def __getattr__(self, name):
        raise ModuleNotFoundError(f"No module named {self.missing!r}", name=self.missing)
