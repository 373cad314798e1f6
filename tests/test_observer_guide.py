"""OBSERVERS.md: its two observers work as they stand, and it documents what is reported."""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from storecore.plugins import spec as hooks
from storecore.protocols import METHODS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "storecore/plugins/OBSERVERS.md").read_text()
PRINTER, COUNTS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
PROJECT = re.findall(r"^```toml\n(.*?)^```", PAGE, re.M | re.S)[1]
HOOKS = ["storecore_opened", "storecore_written", "storecore_closed"]
PROGRAM = """
from datetime import datetime
import storecore
from prometheus_client import generate_latest
from storecore import PriceBar

def counts(page):
    lines = page.decode().splitlines()
    return [line for line in lines if line.startswith("storecore_") and "_total{" in line]

bars = [PriceBar("AAPL", datetime(2026, 1, day), 1.0, 1.0, 1.0, 1.0, 1) for day in (5, 6)]
for _ in range(2):
    with storecore.open_store("memory") as store:
        store.write_bars("AAPL", bars)
        store.save_strategy_state("value", {})
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
storecore_writes_total{kind="bars"} 2.0
storecore_writes_total{kind="state"} 2.0
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
