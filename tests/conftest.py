"""Fixtures that every test may use: a store of each backend, and records to put into it."""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import datetime
from functools import cache
from importlib.metadata import EntryPoints, distributions
from pathlib import Path
from random import Random

import psycopg
import pytest
from hypothesis import HealthCheck, settings

import storecore
from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar
from storecore.plugins import metadata

pytest_plugins = ["pytester"]
collect_ignore = ["third_party"]  # tests of its own, for where it is installed
JAN_5 = datetime(2026, 1, 5)
MEMORY, ROOM = "/dev/shm", 2 * 2**30
_numbers = itertools.count()

# The machine that runs this may be busy: a slow example is no failure.
settings.register_profile(
    "soak",
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("default", settings.get_profile("soak"), derandomize=True)


def pytest_addoption(parser):
    parser.addoption("--share", metavar="N/M", help="of M tests, run only the Nth: 1/3, 2/3 or 3/3")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector, name, obj):
    """Make no items of a soak test in the default run: of the suites of wrappers, thousands."""
    if collector.config.option.markexpr != "not soak" or not name.lower().startswith("test"):
        return None
    marks = getattr(obj, "pytestmark", ())
    return [] if any(each.name == "soak" for each in marks) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config, items):
    """Before `-m` and `-k` choose, mark what is soak; then leave out what is not in the share."""
    _leave_few_cases_to_the_default_run(items)
    result = yield
    if config.option.share:
        number, shares = map(int, config.option.share.split("/"))
        others = [each for at, each in enumerate(items, 1 - number) if at % shares]
        config.hook.pytest_deselected(items=others)
        items[:] = items[number - 1 :: shares]
    return result


def _leave_few_cases_to_the_default_run(items):
    """Mark as soak all but a few cases of each test that is marked so.

    Its name draws them: the same in each run, and of several parameters any values together.
    """
    cases = defaultdict(list)
    for item in items:
        mark = item.get_closest_marker("few")
        if mark and not item.get_closest_marker("soak"):
            cases[item.nodeid.partition("[")[0], *mark.args].append(item)
    for (test, few), of_test in cases.items():
        for item in Random(test).sample(of_test, max(len(of_test) - few, 0)):
            item.add_marker("soak")


def pytest_configure(config):
    """Try the same examples in each default run, which then fails by a change only."""
    soak = config.option.markexpr == "soak"
    settings.load_profile("soak" if soak else "default")
    if not (soak or "TMPDIR" in os.environ) and _has_room(MEMORY):
        _put_temporary_files(MEMORY)
    _keep_compiled_modules()
    _look_once_for_installed_packages()


def _put_temporary_files(folder):
    """Let the tests, and the processes that they start, make temporary files in a folder.

    In memory a sync costs nothing; the default run asks for tens of thousands. What depends on them
    is proven by the crash tests, which record the syncs, and by the soak tests, which are on disk.
    """
    os.environ["TMPDIR"] = folder
    tempfile.tempdir = None  # it is looked up once


def _has_room(folder):
    """Tell whether a folder has room for a run, and programs can be started from there."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    runs_programs = not found.f_flag & os.ST_NOEXEC
    return runs_programs and os.access(folder, os.W_OK) and found.f_bavail * found.f_frsize >= ROOM


def _keep_compiled_modules():
    """Compile each module once, not in each of the processes that the tests start."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def _look_once_for_installed_packages():
    """Read what the packages of the environment declare once, not for each store that is opened.

    A test that installs a package puts a folder first on the path: of that folder it is read anew.
    """
    own, read = list(sys.path), metadata.entry_points
    known, found, tests = set(own), {}, str(Path(__file__).parent)

    def entry_points(*, group):
        added = [each for each in sys.path if each not in known and not each.startswith(tests)]
        rest = sys.path[len(added) :]
        if known.difference(rest) or sys.path[: len(added)] != added:
            return read(group=group)
        if group not in found:
            found[group] = _declared(_distributions_in(own), group)
        first = _distributions_in(added)
        others = [each for each in found[group] if each.dist._normalized_name not in first]
        return EntryPoints([*_declared(first, group), *others])

    metadata.entry_points = entry_points
    metadata._name_and_version = cache(metadata._name_and_version)


def _distributions_in(folders):
    """Return the distributions in folders, by name; the first of a name hides the others."""
    found = {}
    for each in distributions(path=folders):
        found.setdefault(each._normalized_name, each)
    return found


def _declared(packages, group):
    return [each for dist in packages.values() for each in dist.entry_points.select(group=group)]


@pytest.fixture(params=["memory", "file", "postgres"])
def store(request, tmp_path):
    """An open store of each backend in turn."""
    options = {}
    if request.param == "file":
        options = {"base_path": tmp_path / "data"}
    elif request.param == "postgres":
        options = request.getfixturevalue("empty_in_postgres")
    with storecore.open_store(request.param, **options) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server of the tests' own, which they may kill."""
    if os.environ.get("STORECORE_TEST_DSN"):
        pytest.skip("the server of STORECORE_TEST_DSN is not the tests' own to kill")
    server = _module("postgres_server").Server()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_dsn(request):
    """Where a server answers: the one of STORECORE_TEST_DSN, or the tests' own."""
    given = os.environ.get("STORECORE_TEST_DSN")
    return given or request.getfixturevalue("postgres_server").dsn


@pytest.fixture
def place_in_postgres(postgres_dsn):
    """The options of an empty place in a database: a schema of its own, removed afterwards."""
    schema = f"test_{os.getpid()}_{next(_numbers)}"
    yield {"dsn": postgres_dsn, "schema": schema}
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


@pytest.fixture(scope="session")
def postgres_schemas(postgres_dsn):
    """Schemas with an empty store; None of a server of others, which may have extensions."""
    if os.environ.get("STORECORE_TEST_DSN"):
        return None
    return _module("postgres_schemas").Schemas(postgres_dsn)


@pytest.fixture
def empty_in_postgres(request, postgres_dsn, postgres_schemas):
    """The options of an empty store in a database, which is there already if that is faster."""
    if postgres_schemas is None:
        yield request.getfixturevalue("place_in_postgres")
        return
    schema = postgres_schemas.take()
    yield {"dsn": postgres_dsn, "schema": schema}
    postgres_schemas.give_back(schema)


def _module(name):
    """Import a module beside this one."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def bar():
    """Make a bar of AAPL; any field can be given."""

    def make(date=JAN_5, close=100.0, **fields):
        plain = {"symbol": "AAPL", "open": 99.0, "high": 101.0, "low": 98.0, "volume": 1000}
        return PriceBar(**{**plain, "date": date, "close": close, **fields})

    return make


@pytest.fixture(scope="session")
def fundamental():
    """Make a fundamental of AAPL; any field can be given."""

    def make(timestamp=JAN_5, **fields):
        plain = {"symbol": "AAPL", "company_name": "Apple", "cik": "320193", "raw_xml": "<x/>"}
        return FundamentalData(**{**plain, "timestamp": timestamp, **fields})

    return make


@pytest.fixture(scope="session")
def event():
    """Make an event; any field can be given."""

    def make(timestamp=JAN_5, **fields):
        plain = {"type": "news", "symbol": "AAPL", "source": "feed", "payload": {"text": "up"}}
        return Event(**{**plain, "timestamp": timestamp, "ingested_at": timestamp, **fields})

    return make


@pytest.fixture(scope="session")
def decision():
    """Make a decision; any field can be given."""

    def make(**fields):
        plain = {"symbol": "AAPL", "action": Action.BUY, "target_weight": 0.5, "confidence": 0.9}
        return Decision(**{**plain, "reasoning": "cheap", **fields})

    return make


@pytest.fixture(scope="session")
def order():
    """Make an order; any field can be given."""

    def make(**fields):
        plain = {"strategy_name": "value", "symbol": "AAPL", "action": "BUY", "quantity": 10}
        return Order(**{**plain, "order_type": "MARKET", **fields})

    return make


@pytest.fixture(scope="session")
def sent(order):
    """Make an order and its result; any field of the order can be given."""
    return lambda **fields: (order(**fields), OrderResult("1", "filled"))


@pytest.fixture
def script():
    """Start Python on a script, its arguments in `sys.argv`; it should end with its stdin.

    `traced=False` keeps coverage out of it, for a script that interrupts itself: an exception in
    the midst of the tracer's own work leaves the tracer's lock taken for ever.
    """
    started = []
    untraced = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}

    def start(source, *args, traced=True):
        process = subprocess.Popen(
            [sys.executable, "-c", source, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=None if traced else untraced,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
