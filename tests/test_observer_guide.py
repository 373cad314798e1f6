"""OBSERVERS.md: its two observers work as they stand, and it documents what is reported."""

from __future__ import annotations

import os
import re
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
STAND_IN = ROOT / "tests/third_party/prometheus_client.py"
HOOKS = ["storecore_opened", "storecore_written", "storecore_closed"]
PROGRAM = """
from datetime import datetime
import storecore, storecore_prometheus, prometheus_client
from storecore import Event, PriceBar

bars = [PriceBar("AAPL", datetime(2026, 1, day), 1.0, 1.0, 1.0, 1.0, 1) for day in (5, 6)]
for _ in range(2):
    with storecore.open_store("memory") as store:
        store.write_bars("AAPL", bars)
        store.save_strategy_state("value", {})
print(storecore_prometheus.CALLS.values, storecore_prometheus.RECORDS.values)
print(prometheus_client.served)
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
    (tmp_path / "prometheus_client.py").write_text(STAND_IN.read_text())
    group, entry = re.search(r'entry-points\."(.+?)"\]\n(.+)', PROJECT).groups()
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry}\n".replace('"', ""))
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: storecore-prometheus\nVersion: 1\n"
    )

    def run(**variables):
        env = {**os.environ, "PYTHONPATH": str(tmp_path), **variables}
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
        return done.stdout, done.stderr

    return run


def test_the_observer_for_prometheus_counts_writes_and_records_and_serves_one_port(run):
    assert run(STORECORE_PROMETHEUS_PORT="9464") == (
        "{'bars': 2.0, 'state': 2.0} {'bars': 4.0, 'state': 2.0}\n[9464]\n",
        "",
    )


def test_without_the_variable_no_port_is_opened_and_the_counts_go_on(run):
    assert run(STORECORE_PROMETHEUS_PORT="")[0].endswith("{'bars': 4.0, 'state': 2.0}\n[]\n")


def test_a_port_that_cannot_be_had_is_a_warning_and_the_counts_go_on(run):
    printed, warned = run(STORECORE_PROMETHEUS_PORT="1")
    assert printed == "{'bars': 2.0, 'state': 2.0} {'bars': 4.0, 'state': 2.0}\n[]\n"
    assert warned == "port 1: no right to this port\n"
