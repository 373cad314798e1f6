"""The kit catches the wrong: each broken backend fails a test of the law that it breaks.

`broken/` holds them, each a plain store with one fault. They run in a pytest of their own: it
collects the whole suite of each and runs the tests of the law concerned. The default run has one
backend for each law, the soak runs have all of them, and then each with its whole suite.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from storecore.testing.report import BROKEN

FOLDER = Path(__file__).parent / "broken"
UNTRACED = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
FEW_PARTS, PARTS = 12, 24  # none of them so long that it counts as hanging, on a busy machine too
QUIET = ("-q", "--tb=no", "-p", "no:cacheprovider")


@pytest.fixture
def run(tmp_path):
    """Run pytest in the folder of the test, where the broken backends can be imported."""

    def start(source, *args):
        (tmp_path / "test_suites.py").write_text(source)
        command = (sys.executable, "-m", "pytest", *QUIET, *args, "test_suites.py")
        env = {**UNTRACED, "PYTHONPATH": str(FOLDER)}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)

    return start


@pytest.fixture
def told(run, tmp_path, capsys):
    """Run the suites of all broken backends, print the score, and return what was told of each."""

    def tell(*args, part=0, parts=1, suites="SUITES"):
        source = f"from choosing import {suites}\nchosen = list({suites}.items())[{part}::{parts}]"
        done = run(f"{source}\nglobals().update(chosen)\n", "-p", "choosing", *args)
        assert (tmp_path / "told.json").exists(), done.stdout + done.stderr
        all_told = json.loads((tmp_path / "told.json").read_text())
        caught = sum(each["verdict"] == BROKEN for each in all_told.values())
        with capsys.disabled():
            print(f"\nbroken backends caught: {caught} of {len(all_told)}")
        return all_told

    return tell


def missed(all_told):
    return [name for name, each in all_told.items() if each["verdict"] != BROKEN]


def test_a_broken_backend_of_each_law_breaks_it(told):
    all_told = told(suites="ONE_A_LAW")
    assert missed(all_told) == []
    assert len(all_told) >= 40


@pytest.mark.soak
@pytest.mark.parametrize("part", range(FEW_PARTS))
def test_each_broken_backend_breaks_its_law(told, part):
    all_told = told(part=part, parts=FEW_PARTS)
    assert missed(all_told) == []
    assert len(all_told) >= 40
    assert all(each["whole"] for each in all_told.values())


@pytest.mark.soak
@pytest.mark.parametrize("part", range(PARTS))
def test_each_broken_backend_breaks_its_law_in_a_run_of_the_whole_suite(told, part):
    all_told = told("--whole", part=part, parts=PARTS)
    assert missed(all_told) == []
    assert len(all_told) >= 10


@pytest.mark.soak
@pytest.mark.parametrize("right", ["broken_files.SavedStore", "broken_restarts.SharedStore"])
def test_the_stores_that_faults_on_disk_are_put_into_break_none(run, right):
    source = "import broken_files, broken_restarts, gathering\n"
    done = run(f"{source}TestRight = gathering.suite_of({right})\n")
    assert done.returncode == 0, done.stdout
