"""A backend by someone else, installed by pip from its own folder, is found, opened and proven."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent / "third_party" / "storecore-sqlite"
FEW = """
from hypothesis import settings
settings.register_profile("few", max_examples=2)
settings.load_profile("few")
"""
HERE = ("--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder into which pip has installed the distribution, of a copy of its sources."""
    folder = tmp_path_factory.mktemp("third_party")
    project = shutil.copytree(PROJECT, folder / "project")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    subprocess.run([*pip, *HERE, "--target", folder / "site", project], check=True)
    (folder / "site" / "few_examples.py").write_text(FEW)
    return folder / "site"


@pytest.fixture
def python(site, tmp_path):
    """Run Python where the distribution is installed, and return what it printed."""

    def run(*args):
        untraced = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
        env = {**untraced, "PYTHONPATH": str(site)}
        command = [sys.executable, *map(str, args)]
        done = subprocess.run(command, env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_it_is_listed_through_its_entry_point(python):
    assert "storecore-sqlite 1.0" in python("-m", "storecore.cli", "backends")


def test_its_options_are_checked(python):
    program = """
import storecore
try:
    storecore.open_store("sqlite", pth="desk.db")
except storecore.ConfigError as error:
    print(error)
"""
    assert "pth: unknown option (did you mean 'path'?)" in python("-c", program)


def proven(python, report, *options):
    """Run the kit by the command that needs no code; return its report."""
    kit = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "few_examples")
    backend = ("--storecore-backend", "sqlite", "--storecore-set", "path={tmp}/desk.db")
    where = ("--pyargs", "storecore.testing", "--storecore-report", report)
    python(*kit, *backend, *where, *options)
    return json.loads(report.read_text())


def test_the_command_that_needs_no_code_asks_its_laws(python, tmp_path):
    found = proven(
        python, tmp_path / "laws.json", "-k", "b1_last_write_wins or d4_processes_lose or test_d5"
    )
    (suite,) = found["suites"]
    assert (suite["suite"], found["versions"]["storecore-sqlite"]) == ("sqlite", "1.0")
    assert [suite["laws"][law]["verdict"] for law in ("B1", "D4", "D5")] == [
        "held",
        "held",
        "skipped",
    ]


@pytest.mark.soak
def test_the_command_that_needs_no_code_proves_it(python, tmp_path):
    (suite,) = proven(python, tmp_path / "laws.json")["suites"]
    assert suite["level"] == "shared"


@pytest.mark.soak
def test_its_own_tests_pass(python, site):
    python("-m", "pytest", "-q", "-p", "no:cacheprovider", site.parent / "project" / "tests")
