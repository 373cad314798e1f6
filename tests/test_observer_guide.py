"""OBSERVERS.md: its examples work as they stand, and it documents what is reported."""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from types import ModuleType

import pytest

import storecore
from storecore.plugins import spec as hooks
from storecore.protocols import METHODS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "storecore/plugins/OBSERVERS.md").read_text()
PRINTER, COUNTS, COUNTS_TEST, TIMED = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
_, PROJECT, TIMED_CONFIG = re.findall(r"^```toml\n(.*?)^```", PAGE, re.M | re.S)
HOOKS = ["storecore_opened", "storecore_written", "storecore_closed"]
PROGRAM = """
from datetime import datetime
import storecore
from prometheus_client import generate_latest
from storecore import Event, PriceBar

def counts(page):
    lines = page.decode().splitlines()
    return [line for line in lines if line.startswith("storecore_") and "_total{" in line]

def event(kind):
    return Event(kind, None, bars[0].date, bars[0].date, "feed", {})

bars = [PriceBar("AAPL", datetime(2026, 1, day), 1.0, 1.0, 1.0, 1.0, 1) for day in (5, 6)]
for _ in range(2):
    with storecore.open_store("memory") as store:
        store.write_bars("AAPL", bars)
        store.save_strategy_state("value", {})
        store.write_events(event(kind) for kind in ("a", "a", "b"))
print(*counts(generate_latest()), sep="\\n")
"""
SCRAPE = """
import sys
from urllib.request import urlopen
with urlopen(f"http://localhost:{sys.argv[1]}/metrics", timeout=30) as page:
    assert counts(page.read()) == counts(generate_latest())
"""
COUNTED = """\
storecore_records_total{kind="bars"} 4.0
storecore_records_total{kind="state"} 2.0
storecore_records_total{kind="events"} 6.0
storecore_keys_total{kind="bars"} 2.0
storecore_keys_total{kind="state"} 2.0
storecore_keys_total{kind="events"} 4.0
"""


def test_the_printer_prints_what_was_written(capsys):
    printer = ModuleType("printer")
    exec(PRINTER, vars(printer))
    printer.storecore_written(None, "bars", "AAPL", 2)
    assert capsys.readouterr().out == "2 bars of AAPL\n"


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_of_an_observer_is_documented_with_its_parameters(name):
    parameters = ", ".join(getattr(hooks, name).__code__.co_varnames)
    assert f"`{name}({parameters})`" in PAGE


@pytest.mark.parametrize(
    "kind", sorted({each.notify for each in METHODS.values() if each.notify.isidentifier()})
)
def test_each_kind_that_is_reported_is_documented(kind):
    assert re.search(rf'^\| .*"{kind}"', PAGE, re.M)


@pytest.fixture
def run(tmp_path):
    """Run a program in which the package of the guide is installed."""
    info = tmp_path / "storecore_prometheus-1.0.dist-info"
    info.mkdir()
    (tmp_path / "storecore_prometheus.py").write_text(COUNTS)
    group, entry = re.search(r'entry-points\."(.+?)"\]\n(.+)', PROJECT).groups()
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry}\n".replace('"', ""))
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: storecore-prometheus\nVersion: 1\n"
    )

    def run(port, program=PROGRAM):
        env = {**os.environ, "PYTHONPATH": str(tmp_path), "STORECORE_PROMETHEUS_PORT": port}
        command = [sys.executable, "-c", program, port]
        done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
        return done.stdout, done.stderr

    return run


@pytest.fixture
def listening():
    with socket.create_server(("", 0)) as server:
        yield server


def test_the_observer_for_prometheus_serves_the_counts_of_writes_and_records(run, listening):
    port = str(listening.getsockname()[1])
    listening.close()
    assert run(port, PROGRAM + SCRAPE) == (COUNTED, "")


def test_without_the_variable_no_port_is_opened_and_the_counts_go_on(run):
    no_server = "import threading\nassert threading.active_count() == 1"
    assert run("", PROGRAM + no_server) == (COUNTED, "")


def test_a_port_that_is_taken_is_a_warning_and_the_counts_go_on(run, listening):
    port = listening.getsockname()[1]
    taken = f"port {port}: [Errno {errno.EADDRINUSE}] {os.strerror(errno.EADDRINUSE)}\n"
    assert run(str(port)) == (COUNTED, taken)


def test_the_port_is_of_this_machine_alone(run, listening):
    port = str(listening.getsockname()[1])
    listening.close()
    others = """
import socket, sys
try:
    socket.create_connection(("127.0.0.2", int(sys.argv[1])), 5)
except OSError:
    pass  # refused
else:
    raise AssertionError("a server of all addresses answers here too")
"""
    assert run(port, PROGRAM + others) == (COUNTED, "")


def test_the_test_of_the_guide_passes_without_the_package_and_fails_if_a_hook_raises(tmp_path):
    (tmp_path / "test_prometheus.py").write_text(COUNTS_TEST)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        tmp_path,
    ]
    for source, status in ((COUNTS, 0), (COUNTS.replace("KEYS.labels", "KEYS.label"), 1)):
        (tmp_path / "storecore_prometheus.py").write_text(source)
        done = subprocess.run([*command, tmp_path], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == status, done.stdout


def test_a_package_with_a_test_beside_the_module_is_built_with_the_module_alone(tmp_path):
    pytest.importorskip("setuptools")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    for name in ("storecore_prometheus", "test_prometheus"):
        (tmp_path / f"{name}.py").write_text("")
    build = [sys.executable, "-c", "from setuptools import setup; setup()", "-q", "build_py"]
    subprocess.run([*build, "-d", "built"], cwd=tmp_path, check=True, capture_output=True)
    assert [each.name for each in (tmp_path / "built").iterdir()] == ["storecore_prometheus.py"]


@pytest.fixture
def timed(monkeypatch):
    """The wrapper of the guide, registered: return the counts of calls by method and outcome."""
    from prometheus_client import REGISTRY

    module = ModuleType("storecore_timed")
    exec(compile(TIMED, "storecore_timed.py", "exec", dont_inherit=True), vars(module))

    def counts(method, outcome):
        labels = {"method": method, "outcome": outcome}
        return REGISTRY.get_sample_value("storecore_seconds_count", labels)

    with storecore.register(module):
        yield counts
    REGISTRY.unregister(module.SECONDS)


def test_the_wrapper_of_the_guide_counts_calls_by_method_and_outcome(timed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "storecore.toml").write_text(TIMED_CONFIG)
    with storecore.open_store() as store:
        assert store.symbols() == []
        for _ in range(2):
            with pytest.raises(storecore.InvalidData):
                store.write_bars("AAPL", [None])
        assert isinstance(store, storecore.DiskUsage)
    assert [timed("symbols", "done"), timed("write_bars", "InvalidData")] == [1.0, 2.0]
    assert timed("write_bars", "done") is None


CALLS_THAT_RAISE = {
    "arguments that do not fit": (TypeError, lambda store: store.write_bars("AAPL")),
    "a view": (
        storecore.StorageError,
        lambda store: store.at(datetime(2026, 1, 6)).write_bars("AAPL", []),
    ),
    "a capability that it lacks": (AttributeError, lambda store: store.disk_usage()),
    "a closed store": (storecore.StoreClosed, lambda store: store.close() or store.symbols()),
}


@pytest.mark.parametrize("call", CALLS_THAT_RAISE)
def test_a_wrapper_does_not_see_what_the_page_names(timed, call):
    kind, function = CALLS_THAT_RAISE[call]
    with storecore.open_store("timed", store={"backend": "memory"}) as store:
        with pytest.raises(kind):
            function(store)
        found = [timed(method, kind.__name__) for method in ("write_bars", "disk_usage", "symbols")]
    assert found == [None] * 3


class Watch:
    """An observer."""

    @storecore.hookimpl
    def storecore_written(self):
        """Do nothing."""


@pytest.mark.parametrize("is_observed", [True, False])
def test_a_wrapper_sees_a_refused_table_only_without_observers(timed, is_observed):
    with (
        storecore.register(Watch()) if is_observed else nullcontext(),
        storecore.open_store("timed", store={"backend": "memory"}) as store,
        pytest.raises(storecore.InvalidData),
    ):
        store.write_bar_table(7)
    assert timed("write_bar_table", "InvalidData") == (None if is_observed else 1.0)
