"""The pytest plugin: cheap for others; with a suite it marks, tells what was done, and reports."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

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


def test_a_broken_law_is_told_with_what_was_done_and_what_came_back(suite_run):
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
            "python *, storecore *, pytest *, hypothesis *",
        ]
    )


def test_a_known_failure_is_told_with_its_reason_and_is_no_failure(suite_run):
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


def test_what_is_skipped_is_told_with_the_reason(suite_run):
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


def test_a_report_of_another_ending_is_refused_before_anything_runs(suite_run):
    run = suite_run("--storecore-report", "laws.txt")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines("*--storecore-report laws.txt: expected a path .json or .md*")


def test_the_kit_needs_no_code(no_code):
    run = no_code("--storecore-backend", "memory", only="b3_an_empty_batch_does or d1 or l2")
    run.assert_outcomes(passed=1, skipped=3)
    run.stdout.fnmatch_lines(["memory: level none; 1 held, 2 skipped*", "*storecore 0*"])


def test_tmp_in_a_setting_is_a_fresh_place_for_each_test(no_code):
    run = no_code(
        *("--storecore-backend", "file", "--storecore-set", "base_path={tmp}/data"),
        *("--storecore-set", "lock_timeout=5.5", "--storecore-set", "durability=os"),
        only="b3_an_empty_batch_does or l2 or n1_nothing",
    )
    run.assert_outcomes(passed=4)
    run.stdout.fnmatch_lines("*storecore 0*")


def test_without_a_backend_the_kit_says_how_to_name_one(no_code):
    run = no_code()
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines("*which backend? give --storecore-backend NAME*")


def test_a_setting_that_does_not_fit_is_the_config_error(no_code):
    run = no_code("--storecore-backend", "file", "--storecore-set", "base_pth={tmp}")
    run.stdout.fnmatch_lines("*base_pth: unknown option (did you mean 'base_path'?)*")


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


def test_checkpoints_of_a_backend_of_an_earlier_release_are_skipped_with_the_reason(pytester):
    pytester.makepyfile(test_it=EARLIER)
    run = pytester.runpytest_inprocess("-p", "no:faulthandler", "-k", "maintenance and checkpoint")
    outcomes = run.parseoutcomes()
    assert outcomes["skipped"] > 0
    assert not {"passed", "failed", "errors"} & outcomes.keys()
    run.stdout.fnmatch_lines(["*core provides what the backend lacks: checkpoint"])
