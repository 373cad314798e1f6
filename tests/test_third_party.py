"""A backend by someone else: `new-backend` writes it, pip installs it, the kit proves it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from storecore.cli.app import app

FEW = """
from hypothesis import settings
settings.register_profile("few", max_examples=1)
settings.load_profile("few")
"""
ONE_A_LAW = """
import pytest
from storecore.protocols import CAPABILITIES
from storecore.testing.lawbook import proves
from storecore.testing.report import HEARTS

held = set()


def test_of(nodeid):
    return nodeid.rpartition("::")[2].partition("[")[0]


def laws_of(test):
    return proves(test, frozenset(CAPABILITIES))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    test = test_of(item.nodeid)
    left_out = test not in HEARTS.values() and held.issuperset(laws_of(test))
    return True if left_out else None


def pytest_runtest_logreport(report):
    if report.when == "call" and report.passed:
        test = test_of(report.nodeid)
        held.update(law for law in laws_of(test) if HEARTS.get(law, test) == test)
"""
HERE = ("--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir")
KIT = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "few_examples")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a new package, as the command writes it."""
    folder = tmp_path_factory.mktemp("third_party") / "storecore-sqlite"
    result = CliRunner().invoke(app, ["new-backend", "sqlite", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def site(folder, tmp_path_factory):
    """The folder into which pip has built and installed the package."""
    site = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    subprocess.run([*pip, *HERE, "--target", site, folder], check=True)
    (site / "few_examples.py").write_text(FEW)
    (site / "one_a_law.py").write_text(ONE_A_LAW)
    return site


@pytest.fixture
def python(site, tmp_path):
    """Run Python where the package is installed, and return what it printed."""

    def run(*args, cwd=tmp_path):
        untraced = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
        env = {**untraced, "PYTHONPATH": str(site)}
        command = [sys.executable, *map(str, args)]
        done = subprocess.run(command, env=env, cwd=cwd, stdout=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_it_is_listed_through_its_entry_point_as_healthy(python):
    (row,) = [
        line
        for line in python("-m", "storecore", "backends").splitlines()
        if line.startswith("sqlite ")
    ]
    assert ("storecore-sqlite 0.1" in row, "healthy" in row) == (True, True)


def test_it_opens_by_its_name_and_is_whole(python):
    python("-m", "storecore", "init", "--backend", "sqlite", "--set", "path=desk.db")
    check = python("-m", "storecore", "backends", "--check", "sqlite", "--set", "path=desk.db")
    assert {line.split()[0] for line in check.splitlines()} == {"ok"}


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
    backend = ("--storecore-backend", "sqlite", "--storecore-set", "path={tmp}/desk.db")
    where = ("--pyargs", "storecore.testing", "--storecore-report", report)
    python(*KIT, *backend, *where, *options)
    return json.loads(report.read_text())


def test_the_command_that_needs_no_code_asks_its_laws(python, tmp_path):
    found = proven(python, tmp_path / "laws.json", "-k", "b1_last_write_wins or test_d5")
    (suite,) = found["suites"]
    assert (suite["suite"], found["versions"]["storecore-sqlite"]) == ("sqlite", "0.1")
    assert [suite["laws"][law]["verdict"] for law in ("B1", "D5")] == ["held", "skipped"]


@pytest.mark.soak
def test_the_command_that_needs_no_code_proves_it(python, tmp_path):
    (suite,) = proven(python, tmp_path / "laws.json")["suites"]
    assert suite["level"] == "shared"


MEDIUM = ("D1", "D2", "D3", "D4", "D5", "D7")
OF_THE_MEDIUM = " or ".join(f"test_{law.lower()}_" for law in MEDIUM)
NOT_DECLARED = {
    "D5": "the backend does not promise to be sealed",
    **dict.fromkeys(("K1", "K3"), "the backend does not declare the capability History"),
    **{
        name: f"the backend does not declare the capability {name}"
        for name in ("BarStream", "DiskUsage", "History")
    },
}
"""Why a law or capability is skipped. All others are held: none is "not tried"."""


@pytest.mark.parametrize(
    "tests", [("-p", "one_a_law"), pytest.param((), marks=pytest.mark.soak)], ids=["one", "all"]
)
@pytest.mark.parametrize(
    ("chosen", "of_the_medium"),
    [(f"not ({OF_THE_MEDIUM})", False), (OF_THE_MEDIUM, True)],
    ids=["all laws but those of the medium", "the laws of the medium"],
)
def test_its_own_tests_hold_all_that_it_declares(
    python, folder, tmp_path, chosen, of_the_medium, tests
):
    report = tmp_path / "laws.json"
    python(*KIT, *tests, "-k", chosen, "--storecore-report", report, cwd=folder)
    (suite,) = json.loads(report.read_text())["suites"]
    laws = {law: each for law, each in suite["laws"].items() if (law in MEDIUM) == of_the_medium}
    skipped = {law: each for law, each in laws.items() if each["verdict"] != "held"}
    assert {each["verdict"] for each in skipped.values()} == {"skipped"}
    remarks = {law: "; ".join(each["remarks"]) for law, each in skipped.items()}
    assert remarks == {law: why for law, why in NOT_DECLARED.items() if law in laws}


def test_the_kit_replaces_what_its_readme_says_before_the_first_run(python, folder, tmp_path):
    mine = shutil.copytree(folder, tmp_path / "mine")
    readme = mine / "README.md"
    before, after = readme.read_text().split("\nnot run yet\n")
    assert "level" not in before + after
    python(*KIT, "-k", "b1_last_write_wins", "--storecore-report", readme, cwd=mine)
    written = readme.read_text()
    assert (written.startswith(before), written.endswith(after)) == (True, True)
    assert "\n## TestSqlite: level none; 1 held, " in written


def test_a_writer_that_waits_too_long_for_another_process_is_a_lock_timeout(python):
    program = """
import sqlite3
import storecore
with storecore.open_store("sqlite", path="desk.db", timeout=0.01) as store:
    other = sqlite3.connect("desk.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        store.save_strategy_state("value", {})
    except storecore.LockTimeout as error:
        print(error)
    other.close()
"""
    assert python("-c", program) == "desk.db: database is locked\n"


def test_an_empty_file_holds_no_store_and_missing_folders_are_made(python, tmp_path):
    program = """
import pathlib
import storecore
pathlib.Path("empty.db").touch()
for path in ("empty.db", "new/folder/desk.db"):
    try:
        storecore.open_store("sqlite", path=path, create=False)
    except storecore.NoStore:
        print(pathlib.Path(path).exists(), pathlib.Path(path).parent.exists())
storecore.open_store("sqlite", path="new/folder/desk.db").close()
storecore.open_store("sqlite", path="new/folder/desk.db", create=False).close()
"""
    assert python("-c", program) == "True True\nFalse False\n"
