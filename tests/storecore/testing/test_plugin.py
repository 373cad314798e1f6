"""The pytest plugin: cheap for others; with a suite it marks, tells what was done, and reports."""

from __future__ import annotations

import json
import subprocess
import sys

import psycopg
import pytest
from msgspec import Struct
from msgspec.structs import replace

from storecore import BackendLoadError, BackendSpec, ConfigError
from storecore.builtin.memory import MemoryDataStore, storecore_backend
from storecore.testing import validate
from storecore_file.plugin import storecore_backend as file_backend

FAST = "test_b1_within_a_batch_the_last_of_a_date_wins"
KNOWN = f'known_failures = {{"{FAST}": "the feed sends corrections first"}}'
HEAVY = {"hypothesis", "pyarrow", "msgspec", "storecore.testing.suite"}


def test_the_plugin_loads_nothing_that_is_heavy():
    program = f"import sys, storecore.testing.plugin; sys.exit(str({HEAVY!r} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert run.stderr.strip() == b"set()"


def test_a_run_without_a_suite_loads_nothing_and_reports_nothing(pytester):
    pytester.makepyfile(
        f"""
        import sys

        def test_other():
            assert not {HEAVY!r} & sys.modules.keys()
        """
    )
    run = pytester.runpytest_subprocess()
    run.assert_outcomes(passed=1)
    run.stdout.no_fnmatch_line("*storecore: the laws*")


def test_a_run_without_the_plugin_runs_the_laws_all_the_same(suite_run):
    suite_run("-p", "no:storecore").assert_outcomes(passed=1)


def test_a_broken_law_is_reported_with_what_was_done_and_what_came_back(suite_run):
    run = suite_run(store="Wrong", only=FAST)
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(
        [
            "*the law*",
            "B1: One bar per (symbol, timeframe, date); the last write wins*",
            "Whichever way the date is written.",
            "*what was done, and what came back*",
            "write_bars('AAPL', [[]PriceBar(*",
            "*gave None",
            "read_bars('AAPL', *",
            "*gave [[]PriceBar(*close=1.0*",
            "*storecore: the laws*",
            "TestOne: level none; 1 broken, * not run",
            f"  B1 broken: {FAST}: assert [[]1.0] == [[]3.0]",
            "levels: none: *; sound: *; durable: *; shared: *; sealed: *",
            "kit 4, on 20*, python *, storecore *, pytest *, hypothesis *",
        ]
    )


def test_a_known_failure_is_reported_with_its_reason_and_is_no_failure(suite_run):
    run = suite_run(store="Wrong", body=KNOWN, only=FAST)
    run.assert_outcomes(xfailed=1)
    run.stdout.fnmatch_lines([f"  B1 known to fail: {FAST}: the feed sends corrections first"])


def test_a_known_failure_that_passes_is_a_failure(suite_run):
    run = suite_run(body=KNOWN, only=FAST)
    run.assert_outcomes(failed=1)
    run.stdout.fnmatch_lines(["  B1 broken: *XPASS(strict)*"])


def test_known_failures_may_stand_on_the_command_line(suite_run):
    run = suite_run("--storecore-known-failure", f"{FAST}=not yet", store="Wrong", only=FAST)
    run.assert_outcomes(xfailed=1)


@pytest.mark.parametrize("given", ["test_b9_nothing=why", FAST, f"{FAST}="])
def test_a_known_failure_of_the_command_line_is_checked(suite_run, given):
    run = suite_run("--storecore-known-failure", given)
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines("*--storecore-known-failure: *")


def test_what_is_skipped_is_reported_with_the_reason(suite_run):
    run = suite_run(only="d5 or disk_usage")
    run.stdout.fnmatch_lines(
        [
            "  D5 skipped: the backend does not promise to be sealed",
            "  DiskUsage skipped: the backend does not declare the capability DiskUsage",
        ]
    )


def test_the_report_is_written_as_json(suite_run, pytester):
    suite_run("--storecore-report", "laws.json", store="Wrong", only=FAST)
    written = json.loads(pytester.path.joinpath("laws.json").read_text())
    (suite,) = written["suites"]
    assert {"python", "storecore", "pytest", "hypothesis"} <= written["versions"].keys()
    assert (suite["suite"], suite["level"]) == ("TestOne", "none")
    assert suite["laws"]["B1"]["verdict"] == "broken"
    assert suite["laws"]["B2"]["verdict"] == "not run"
    assert suite["tests"][FAST] == {"outcome": "broken", "detail": "assert [1.0] == [3.0]"}


def test_the_report_is_written_as_markdown(suite_run, pytester):
    suite_run("--storecore-report", "laws.md", store="Wrong", only=FAST)
    lines = pytester.path.joinpath("laws.md").read_text().splitlines()
    assert lines[0].startswith("## TestOne: level none; 1 broken")
    (row,) = (line for line in lines if line.startswith("| B1 |"))
    assert row.endswith(f"| broken | {FAST}: assert [1.0] == [3.0] |")


def test_on_a_page_with_marks_the_report_replaces_what_is_between_them(suite_run, pytester):
    page = pytester.path / "README.md"
    marks = ("<!-- storecore report -->", "<!-- /storecore report -->")
    page.write_text(f"# Mine\n\n{marks[0]}\nstale text\n{marks[1]}\n\nThe end\n")
    for _ in range(2):
        suite_run("--storecore-report", "README.md", store="Wrong", only=FAST)
        before, _, rest = page.read_text().partition(f"{marks[0]}\n## TestOne: level none")
        report, _, after = rest.partition(marks[1])
        assert (before, after) == ("# Mine\n\n", "\n\nThe end\n")
        assert ("stale text" in report, report.count("| B1 |")) == (False, 1)


@pytest.mark.parametrize("text", ["# Mine\n", "<!-- storecore report -->\nno end\n"])
def test_a_page_without_both_marks_is_replaced_by_the_report(suite_run, pytester, text):
    page = pytester.path / "laws.md"
    page.write_text(text)
    suite_run("--storecore-report", "laws.md", store="Wrong", only=FAST)
    assert page.read_text().startswith("## TestOne: level none")


def test_a_report_of_another_ending_is_refused_before_anything_runs(suite_run):
    run = suite_run("--storecore-report", "laws.txt")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines("*--storecore-report laws.txt: expected a path .json or .md*")


def test_the_kit_needs_no_code(no_code):
    run = no_code("--storecore-backend", "memory", only="b3_an_empty_batch_does or d1 or l2_")
    run.assert_outcomes(passed=1, skipped=8)
    run.stdout.fnmatch_lines(["memory: level none; 1 held, 2 skipped*", "*storecore 0*"])


def test_tmp_in_a_setting_is_a_fresh_place_for_each_test(no_code):
    run = no_code(
        *("--storecore-backend", "file", "--storecore-set", "base_path={tmp}/data"),
        *("--storecore-set", "lock_timeout=5.5", "--storecore-set", "durability=os"),
        only="b3_an_empty_batch_does or l2_ or n1_nothing",
    )
    run.assert_outcomes(passed=8)
    run.stdout.fnmatch_lines("*storecore 0*")


def test_without_a_backend_the_kit_says_how_to_name_one(no_code):
    assert stopped(no_code()) == "which backend? give --storecore-backend NAME"


def stopped(run):
    """Return the one error of a run that was stopped before its first test."""
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    assert not any(word in run.stdout.str() for word in (" passed", " failed", "ERROR at"))
    (error,) = [line for line in run.stderr.lines if line.startswith("ERROR: ")]
    return error.removeprefix("ERROR: ")


FILE = ("--storecore-backend", "file")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--storecore-backend", "fil"), "UnknownBackend: no backend 'fil' (did you mean 'file'?)"),
        ((*FILE, "--storecore-set", "base_pth={tmp}"), "(did you mean 'base_path'?)"),
        ((*FILE, "--storecore-set", "lock_timeout=soon"), "lock_timeout: "),
        ((*FILE, "--storecore-set", "base_path"), "expected KEY=VALUE, got 'base_path'"),
        ((*FILE, "--storecore-set", "={tmp}"), "expected KEY=VALUE, got '={tmp}'"),
        ((*FILE, "--storecore-set", "base_path=data"), "expected {tmp} in the path"),
        (("--storecore-set", "base_path={tmp}"), "give --storecore-backend NAME too"),
    ],
)
def test_what_would_fail_each_test_stops_the_run_at_once(no_code, pytester, given, said):
    assert said in stopped(no_code(*given))
    assert not (pytester.path / "data").exists()


def test_the_path_of_a_nested_store_needs_a_new_folder_too(no_code):
    def store(path):
        return f'store={{backend = "file", base_path = "{path}"}}'

    wrapper = ("--storecore-backend", "cached", "--storecore-set")
    assert "expected {tmp}" in stopped(no_code(*wrapper, store("data")))
    no_code(*wrapper, store("{tmp}/data"), only="p1_a_store_is").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"capabilities": {"Bulky"}}, "unknown capability 'Bulky'"),
        ({"capabilities": "Bulk Catalog"}, "expected its spec's capabilities to be a frozenset"),
        ({"promises": {"durably"}}, "unknown promise 'durably'"),
        ({"config": dict}, "expected its spec's config to be a msgspec.Struct class"),
        ({"name": "Duck DB"}, "expected the name of its spec to be letters, .* got 'Duck DB'"),
    ],
)
def test_validate_refuses_a_wrong_spec_before_any_test(fields, said):
    spec = replace(storecore_backend(), **fields)
    with pytest.raises(
        BackendLoadError, match=rf"storecore\.testing\.validate\(\): {said}"
    ) as error:
        validate(spec)
    assert error.value.__context__ is None


def test_validate_refuses_what_is_no_spec():
    with pytest.raises(BackendLoadError, match="expected a BackendSpec, got dict"):
        validate({"name": "duck"})


@pytest.mark.parametrize(
    ("options", "said"),
    [({"base_pth": "{tmp}"}, "unknown option"), ({"base_path": "data"}, "expected {tmp}")],
)
def test_validate_refuses_options_that_would_fail_each_test(options, said):
    with pytest.raises(ConfigError, match=said):
        validate(file_backend(), options)


def test_a_promise_that_there_is_not_is_reported_by_name(suite_run):
    body = """
        @pytest.fixture
        def spec(self):
            from msgspec.structs import replace
            return replace(storecore_backend(), promises=frozenset({"durably"}))
    """
    run = suite_run(body=body, only="p2_a_declared")
    run.assert_outcomes(failed=1)
    said = "no such promise: 'durably' (did you mean 'durable'?); there are durable, forked,"
    run.stdout.fnmatch_lines([f"  P2 broken: *{said}*"])


@pytest.mark.parametrize("field", ["capabilities", "optional"])
def test_a_capability_that_is_misspelt_is_reported_with_the_nearest(suite_run, field):
    body = f"""
        @pytest.fixture
        def spec(self):
            from msgspec.structs import replace
            spec = storecore_backend()
            names = spec.{field} | {{"Catalg"}}
            return replace(spec, **{{"optional": frozenset({{"Bulk"}}), "{field}": names}})
    """
    run = suite_run(body=body.strip() + "\n", only="p2_a_declared")
    run.assert_outcomes(failed=1)
    said = "no such capability: 'Catalg' (did you mean 'Catalog'?); there are AuditTrail,"
    run.stdout.fnmatch_lines([f"  P2 broken: *{said}*"])


SECRETIVE = """
    import pytest
    from msgspec import Struct
    from storecore import BackendLoadError, BackendSpec, ConfigError
    from storecore.builtin.memory import MemoryDataStore
    from storecore.testing import DataStoreSuite

    class Silent(MemoryDataStore):
        read_orders = None
        verify_audit = None

    class TestOne(DataStoreSuite):
        @pytest.fixture
        def spec(self):
            return BackendSpec(
                name="silent", config=Struct, open=Silent, capabilities=frozenset({"AuditTrail"})
            )

        @pytest.fixture
        def store(self):
            return Silent()
"""


def test_a_capability_without_its_methods_fails_once_and_is_not_tried_otherwise(pytester, inner):
    pytester.makepyfile(test_it=SECRETIVE)
    run = inner(only="p2_a_declared or audit or a3")
    run.assert_outcomes(failed=1, skipped=run.parseoutcomes()["skipped"])
    lacking = (
        "AuditTrail is declared, but it lacks read_orders; AuditTrail is declared, but it lacks"
    )
    run.stdout.fnmatch_lines(
        [f"  P2 broken: *{lacking} verify_audit: write what is missing, or do not declare it*"]
    )
    reason = "declared, but read_orders, verify_audit is missing (law P2)"
    run.stdout.fnmatch_lines([f"  A3 not tried: {reason}"])


def test_another_signature_is_shown_beside_the_protocols(suite_run, pytester, inner):
    pytester.makepyfile(
        test_it="""
        import pytest
        from storecore.builtin.memory import MemoryDataStore
        from storecore.testing import DataStoreSuite

        class Other(MemoryDataStore):
            def read_events(self, start, end, kinds=None):
                return super().read_events(start, end, kinds)

        class TestOne(DataStoreSuite):
            @pytest.fixture
            def store(self):
                return Other()
        """
    )
    run = inner(only="p1_a_store_has_the_ten")
    run.stdout.fnmatch_lines(
        ["*it has read_events(start, end, kinds=None), the protocol read_events(start: *"]
    )


def test_a_store_that_cannot_be_opened_fails_one_test_and_no_more(no_code, tmp_path):
    there = tmp_path / "file"
    there.write_text("not a folder")
    run = no_code(
        *("--storecore-backend", "file", "--storecore-set", f"base_path={there}/{{unique}}"),
        only="b1 or b2",
    )
    outcomes = run.parseoutcomes()
    assert (outcomes["errors"], "failed" in outcomes, "passed" in outcomes) == (1, False, False)
    run.stdout.fnmatch_lines(["*StorageError: *"])


def test_a_unique_name_is_fresh_for_each_test_and_removed_after_it(no_code, postgres_dsn):
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        count = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'unique_%'"
        before = connection.execute(count).fetchall()
        run = no_code(
            *("--storecore-backend", "postgres", "--storecore-set", f"dsn={postgres_dsn}"),
            *("--storecore-set", "schema=unique_{unique}"),
            only="b1_last_write_wins or b3_an_empty_batch_does or e2_types_none",
        )
        run.assert_outcomes(passed=3)
        assert connection.execute(count).fetchall() == before


def test_a_backend_is_proven_from_a_program_without_a_test_of_its_own():
    report = validate(storecore_backend(), {}, only="b1_last_write_wins or e2_types_none")
    assert (report.title, report.verdict("B1"), report.verdict("E2")) == ("memory", "held", "held")
    assert report.verdict("D1") == "not run"


def test_what_a_program_asks_to_be_proven_may_be_broken():
    class Wrong(MemoryDataStore):
        def read_events(self, start, end, types=None):
            return super().read_events(start, end, types)[::-1]

    spec = BackendSpec(name="wrong", config=Struct, open=lambda config: Wrong())
    report = validate(spec, {}, only="e1")
    assert report.verdict("E1") == "broken"
    assert report.level == "none"
    assert any("test_e1_" in each for each in report.details("E1"))


def test_validate_gives_each_test_a_fresh_place_and_reports_a_durable_backend(tmp_path):
    options = {"base_path": "{tmp}/data", "durability": "os"}
    report = validate(file_backend(), options, only="l2_")
    assert report.verdict("L2") == "held"


def test_validate_says_why_no_test_was_run():
    with pytest.raises(RuntimeError, match=r"no test was run: (?s:.*)deselected"):
        validate(storecore_backend(), only="nothing_of_that_name")


def test_validate_takes_options_of_any_type_and_unique_names_that_nobody_removes():
    options = {"base_path": "{tmp}/{unique}", "lock_timeout": 5.5}
    assert validate(file_backend(), options, only="b3_an_empty_batch_does").verdict("B3") == "held"


def test_validate_tries_a_place_without_a_store():
    report = validate(file_backend(), {"base_path": "{tmp}/data"}, only="d7_a_place")
    assert report.verdict("D7") == "held"


def test_validate_finds_by_its_name_a_backend_that_cannot_be_pickled():
    spec = file_backend()
    local = replace(spec, open=lambda config: spec.open(config))
    report = validate(local, {"base_path": "{tmp}/data"}, only="d1_what")
    assert report.verdict("D1") == "held"


def test_a_unique_name_is_a_place_without_a_store(no_code, postgres_dsn):
    run = no_code(
        *("--storecore-backend", "postgres", "--storecore-set", f"dsn={postgres_dsn}"),
        *("--storecore-set", "schema=unique_{unique}"),
        only="d7_a_place",
    )
    run.assert_outcomes(passed=1)


def test_a_place_without_a_store_is_tried_if_the_backend_can_refuse_one(no_code):
    path = ("--storecore-set", "base_path={tmp}/data")
    run = no_code("--storecore-backend", "file", *path, only="d7_a_place")
    run.assert_outcomes(passed=1)


def test_a_backend_that_always_creates_is_not_asked_to_refuse(no_code):
    run = no_code("--storecore-backend", "memory", only="d7_a_place")
    run.assert_outcomes(skipped=1)


EARLIER = """
    import pytest
    from storecore.builtin.memory import MemoryDataStore
    from storecore.testing import DataStoreSuite

    class Earlier(MemoryDataStore):
        @property
        def checkpoint(self):
            raise AttributeError("it was written before there were checkpoints")

    class TestEarlier(DataStoreSuite):
        @pytest.fixture
        def store(self):
            return Earlier()
"""


def test_checkpoints_of_a_backend_of_an_earlier_release_are_skipped_with_the_reason(
    pytester, inner
):
    pytester.makepyfile(test_it=EARLIER)
    run = inner(only="maintenance and checkpoint or p2_a_declared")
    outcomes = run.parseoutcomes()
    assert outcomes["skipped"] > 0
    assert outcomes["passed"] == 1
    assert not {"failed", "errors"} & outcomes.keys()
    run.stdout.fnmatch_lines(["*core provides what the backend lacks: checkpoint"])


OWN_CLOCK = """
    from datetime import timedelta

    import pytest
    from msgspec.structs import replace
    from storecore.builtin.memory import MemoryDataStore
    from storecore.testing import DataStoreSuite
    from storecore.testing.records import NOON

    class OwnClock(MemoryDataStore):
        def read_decisions(self, *asked):
            read = super().read_decisions(*asked)
            return [replace(each, timestamp=NOON + timedelta(each.seq)) for each in read]

    class TestOwnClock(DataStoreSuite):
        @pytest.fixture
        def store(self):
            return OwnClock()
"""


def test_order_is_not_tried_where_the_clock_of_a_store_cannot_be_set_back(pytester, inner):
    pytester.makepyfile(test_it=OWN_CLOCK)
    run = inner(only="a4_order")
    run.stdout.fnmatch_lines(
        ["  A4 not tried: the store's clock is not one that the kit can set back"]
    )


FEWER = """
    from functools import partial

    import pytest
    from msgspec.structs import replace
    from storecore.builtin.memory import MemoryDataStore
    from storecore.testing import DataStoreSuite
    from storecore_file import FileDataStore
    from storecore_file.plugin import storecore_backend

    class TestFewer(DataStoreSuite):
        @pytest.fixture
        def spec(self):
            return replace(storecore_backend(), capabilities=frozenset({declared}))

        @pytest.fixture
        def reopen(self, tmp_path):
            return partial(FileDataStore, tmp_path / "data", durability="os")

        @pytest.fixture
        def store(self{reopen}):
            with {store}() as store:
                yield store
"""
OF_ANY_STORE = (
    "b2_a_batch or t1_bounds or t1_instants or t1_bars or n1_a_name_of or catalog_lists_more or "
    "t1_naive_times or t1_what_is_listed or t2_bounds or no_filter or b5_prices_that or b1_more"
)
OF_A_MEDIUM = "d2_ or d3_"
OF_OPENINGS = "d1_a_write or l2_"


@pytest.mark.parametrize(
    ("declared", "reopen", "store", "asked", "passed"),
    [
        ([], "", "MemoryDataStore", OF_ANY_STORE, 13),
        (["Catalog"], "", "MemoryDataStore", OF_ANY_STORE, 14),
        (["Bulk"], "", "MemoryDataStore", OF_ANY_STORE, 15),
        ([], ", reopen", "reopen", OF_A_MEDIUM, 3),
        ([], ", reopen", "reopen", OF_OPENINGS, 6),
    ],
)
def test_a_backend_of_few_capabilities_is_asked_for_no_others(
    pytester, inner, declared, reopen, store, asked, passed
):
    pytester.makepyfile(test_it=FEWER.format(declared=declared, reopen=reopen, store=store))
    outcomes = inner(only=asked).parseoutcomes()
    assert not {"failed", "errors"} & outcomes.keys()
    assert outcomes["passed"] == passed


def test_a_capability_that_there_is_not_is_reported_by_name(pytester, inner):
    pytester.makepyfile(
        test_it=FEWER.format(
            declared=["Oracle", "VersionedState"], reopen="", store="MemoryDataStore"
        )
    )
    asked = "p2_a_declared or p1_a_store_has_the_ten"
    run = inner(only=asked)
    run.assert_outcomes(failed=1, passed=1)
    run.stdout.fnmatch_lines(["  P2 broken: *no such capability: 'Oracle'; there are*"])


FOREIGN = """
    import pytest
    from storecore.builtin.memory import MemoryDataStore
    from storecore.testing import DataStoreSuite

    class Foreign(MemoryDataStore):
        def read_events(self, *asked, **given):
            raise RuntimeError("raw")

        def read_bars(self, *asked, **given):
            return super().read_bars(*asked, **given)[::-1]

    class TestForeign(DataStoreSuite):
        @pytest.fixture
        def store(self):
            return Foreign()
"""


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "e2_types_none",
            "RuntimeError: raw; read_events raised an error that is no StoreError; "
            "expected StorageError if the medium fails, or another error of storecore",
        ),
        ("b1_more_than", "; At index 0 diff: "),
    ],
)
def test_the_report_says_what_was_expected_and_what_differs(pytester, asked, said):
    pytester.makepyfile(test_it=FOREIGN)
    run = pytester.runpytest_inprocess("-p", "no:faulthandler", "-k", asked)
    run.assert_outcomes(failed=1)
    (line,) = [line for line in run.stdout.lines if " broken: " in line]
    assert said in line


ENDING = """
    import sys
    from functools import partial

    import pytest
    from storecore import LockTimeout
    from storecore.testing import DataStoreSuite
    from storecore_file import FileDataStore
    from storecore_file.plugin import storecore_backend

    class Ending(FileDataStore):
        def save_strategy_state(self, strategy_name, state, *, expect=None):
            if "worker" in sys.argv[0] and {when}:
                {fault}
            super().save_strategy_state(strategy_name, state, expect=expect)

    class TestEnding(DataStoreSuite):
        @pytest.fixture
        def spec(self):
            return storecore_backend()

        @pytest.fixture
        def reopen(self, tmp_path):
            return partial(Ending, tmp_path / "data", durability="os")

        @pytest.fixture
        def store(self, reopen):
            with reopen() as store:
                yield store
"""
HELD = "raise LockTimeout('held')"


@pytest.mark.parametrize(
    ("when", "fault", "asked", "said"),
    [
        ("True", HELD, "d4_processes_lose", "a writing process ended with: LockTimeout: held"),
        ("True", HELD, "d4_states_that_proc", "a writing process ended with: LockTimeout: held"),
        ("True", HELD, "d1_what_was", "the writer gave up after 0 writes: LockTimeout: held"),
        (
            "'long' in state",
            "raise RuntimeError('raw')",
            "d2_a_write",
            "a write raised RuntimeError: raw; expected it to succeed or to raise a StoreError",
        ),
        (
            "'long' in state",
            "return self.delete_strategy_state(strategy_name)",
            "d2_a_write",
            "state written: None",
        ),
    ],
)
def test_the_error_that_ended_a_process_is_in_the_report(pytester, when, fault, asked, said):
    pytester.makepyfile(test_it=ENDING.format(when=when, fault=fault))
    run = pytester.runpytest_inprocess("-p", "no:faulthandler", "-k", asked)
    run.assert_outcomes(failed=1)
    (line,) = [line for line in run.stdout.lines if " broken: " in line]
    assert said in line


LEAKING = """
    from functools import partial

    import pytest
    from storecore.testing import DataStoreSuite
    from storecore_file import FileDataStore

    LEFT = []

    class Leaking(FileDataStore):
        def close(self):
            super().close()
            LEFT.append(open("left", "ab"))

    class TestLeaking(DataStoreSuite):
        @pytest.fixture
        def reopen(self, tmp_path):
            return partial(Leaking, tmp_path / "data", durability="os")

        @pytest.fixture
        def store(self, reopen):
            with reopen() as store:
                yield store

    def test_zz_tidy():
        while LEFT:
            LEFT.pop().close()
"""


def test_a_descriptor_that_each_closed_store_leaves_open_is_found(pytester):
    pytester.makepyfile(test_it=LEAKING)
    run = pytester.runpytest_inprocess("-p", "no:faulthandler", "-k", "l1_a_closed or zz_tidy")
    run.assert_outcomes(failed=1, passed=1)
    run.stdout.fnmatch_lines(
        ["  L1 broken: *: 8 descriptors more are open after a store was opened and closed 8 times*"]
    )


@pytest.mark.parametrize(("there", "outcome"), [(True, "passed"), (False, "skipped")])
def test_descriptors_are_counted_where_the_system_lists_them(
    no_code, monkeypatch, tmp_path, there, outcome
):
    if not there:
        monkeypatch.setattr("storecore.testing.life.OPEN_FILES", tmp_path / "none")
    place = ("--storecore-backend", "file", "--storecore-set", "base_path={tmp}/data")
    no_code(*place, only="l1_a_closed").assert_outcomes(**{outcome: 1})
