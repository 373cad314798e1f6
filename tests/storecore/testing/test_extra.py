"""Without `storecore[testing]` the kit says in one line what is missing, and the pip command."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Find:  # an object, which is no method of the class that pytest makes it an attribute of
    def __init__(self, find):
        self.find = find
    def __call__(self, name, *args, **kwargs):
        return None if name == {missing!r} else self.find(name, *args, **kwargs)

PathFinder.find_spec = Find(PathFinder.find_spec)
"""
COMMAND = "pip install 'storecore[testing]'"
RUN = """
import pytest
own = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
sys.exit(pytest.main([*sys.argv[1:], *own, "--pyargs", "storecore.testing"]))
"""


@pytest.fixture
def python(tmp_path):
    """Run a program where a module is not installed, far from the tests of this repository."""

    def run(missing, program, *args):
        command = [sys.executable, "-c", WITHOUT.format(missing=missing) + program, *args]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("missing", ["hypothesis", "pytest"])
@pytest.mark.parametrize("name", ["DataStoreSuite", "validate"])
def test_what_the_package_gives_is_one_error_with_the_command(python, missing, name):
    done = python(missing, f"from storecore.testing import {name}")
    assert done.stderr.count("Traceback") == 1
    said = f"storecore.errors.BackendLoadError: the kit needs {missing}: {COMMAND}"
    assert done.stderr.splitlines()[-1] == said


@pytest.mark.parametrize("missing", ["hypothesis", "pytest"])
def test_the_package_itself_can_be_imported(python, missing):
    done = python(missing, "import storecore.testing; print(storecore.testing.__all__)")
    names = ["KIT", "DataStoreSuite", "LookAheadFinding", "look_ahead_of", "validate"]
    assert (done.stdout, done.stderr) == (f"{names}\n", "")


@pytest.mark.parametrize("missing", ["hypothesis", "pytest"])
def test_the_guard_of_strategies_needs_neither(python, missing):
    done = python(missing, "from storecore.testing import look_ahead_of as f; print(f.__name__)")
    assert (done.stdout, done.stderr) == ("look_ahead_of\n", "")


def test_the_command_that_needs_no_code_says_one_line(python):
    done = python("hypothesis", RUN, "--storecore-backend", "memory")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.strip() == f"ERROR: the kit needs hypothesis: {COMMAND}"
    assert done.stdout == ""


def test_a_run_that_names_no_backend_ends_with_that_line(python):
    done = python("hypothesis", RUN)
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert f"BackendLoadError: the kit needs hypothesis: {COMMAND}" in done.stdout
