"""A package that is a plugin of another program: vnpy finds a database over a store by its name.

pip installs the package into a folder; vnpy runs in a process of its own. Without vnpy, its
interface stands in for it (tests/third_party/vnpy-interface).
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

import storecore

HERE = Path(__file__).parent / "third_party"
INTERFACE = HERE / "vnpy-interface"
OPTIONS = ("--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir")
HAS_VNPY = importlib.util.find_spec("vnpy") is not None
LACKING = "vnpy is not installed: see tests/clients/requirements.txt"
SETTINGS = """
from vnpy.trader.setting import SETTINGS
SETTINGS.update({"database.name": "storecore", "database.timezone": "Asia/Shanghai"})
import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo
from vnpy.trader.constant import Exchange, Interval
from vnpy.trader.database import get_database
from vnpy.trader.object import BarData, TickData

database = get_database()
ZONE = ZoneInfo("Asia/Shanghai")
AAPL = "AAPL", Exchange.NASDAQ
EVER = datetime(2000, 1, 1), datetime(2100, 1, 1)
"""
WRITING = """
def bars(interval, step):
    prices = dict(open_price=10.5, high_price=12.0, low_price=9.25, close_price=11.0)
    more = dict(volume=100.0, turnover=1050.5, open_interest=7.0)
    times = [datetime(2026, 1, 5, tzinfo=ZONE) + step * number for number in range(3)]
    return [BarData("CTP", *AAPL, at, interval, **more, **prices) for at in times]

def ticks():
    at = datetime(2026, 1, 5, 9, 30, 0, 500_000, tzinfo=ZONE)
    local = datetime(2026, 1, 5, 9, 30, 1)
    prices = dict(last_price=11.25, bid_price_1=11.0)
    return [TickData("CTP", *AAPL, at, "Apple", 5.0, localtime=local, **prices)]

assert database.save_bar_data(bars(Interval.DAILY, timedelta(1)))
assert database.save_bar_data(bars(Interval.MINUTE, timedelta(minutes=1)))
assert database.save_tick_data(ticks())
"""
READING = """
def told(each):
    at = each.datetime.isoformat()
    return {**vars(each), "exchange": each.exchange.value, "datetime": at, "interval": None}

series = [(each.symbol, each.exchange.value, each.interval.value, each.count, str(each.start),
           str(each.end)) for each in database.get_bar_overview()]
(tick,) = database.load_tick_data(*AAPL, *EVER)
days = database.load_bar_data(*AAPL, Interval.DAILY, datetime(2026, 1, 6), datetime(2026, 1, 7))
minutes = database.load_bar_data(*AAPL, Interval.MINUTE, *EVER)
print(json.dumps({
    "module": type(database).__module__,
    "series": series,
    "ticks": [(each.symbol, each.count) for each in database.get_tick_overview()],
    "days": [told(each) for each in days],
    "minutes": [each.datetime.isoformat() for each in minutes],
    "tick": [tick.datetime.isoformat(), tick.name, tick.volume, tick.last_price, tick.bid_price_1,
             str(tick.localtime)],
    "none": database.load_bar_data(*AAPL, Interval.DAILY, *reversed(EVER)),
}))
"""
DELETING = """
deleted = database.delete_bar_data(*AAPL, Interval.MINUTE), database.delete_tick_data(*AAPL)
left = len(database.get_bar_overview()), len(database.get_tick_overview())
print(json.dumps([*deleted, *left]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder into which pip has built and installed the package, of a copy of its sources."""
    folder = tmp_path_factory.mktemp("bridge")
    project = shutil.copytree(HERE / "vnpy-storecore", folder / "project")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    subprocess.run([*pip, *OPTIONS, "--target", folder / "site", project], check=True)
    return folder / "site"


def environment(*folders):
    """Return the environment of a process that finds modules in these folders first."""
    own = os.environ.get("PYTHONPATH")
    path = os.pathsep.join(map(str, [*folders, *([own] if own else [])]))
    return {**os.environ, "PYTHONPATH": path}


@pytest.fixture(scope="module", params=["its interface", *(["vnpy itself"] if HAS_VNPY else [])])
def environ(request, site):
    """An environment with the package, and with vnpy or what stands in for it."""
    stand_in = [INTERFACE] if request.param == "its interface" else []
    return environment(site, *stand_in)


@pytest.fixture(scope="module")
def vnpy(environ, tmp_path_factory):
    """Run a program with vnpy in a folder with a config of storecore; return what it printed."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / ".vntrader").mkdir()  # otherwise vnpy uses the one in the home folder
    (folder / "storecore.toml").write_text('[store]\nbackend = "file"\nbase_path = "data"\n')

    def run(program):
        command = [sys.executable, "-c", SETTINGS + program]
        done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.folder = folder
    return run


@pytest.fixture(scope="module")
def found(vnpy):
    """What a second process reads of what a first one has written."""
    vnpy(WRITING)
    return json.loads(vnpy(READING))


GUIDE = (Path(storecore.__file__).parent / "plugins/BACKENDS.md").read_text()
BRIDGES = GUIDE.partition("\n## Bridges\n")[2].partition("\n## ")[0]
LOGS = """
import json, logging.config, sys
logging.config.dictConfig(json.loads(sys.argv[1]))
logging.getLogger("desk.orders").warning("order %d was refused", 7)
logging.getLogger("storecore.file").warning("its own")
"""


@pytest.fixture
def logs(tmp_path):
    """What the guide's bridge for logging has written, after a program has logged through it."""
    (source,) = re.findall(r"^```python\n(.*?)^```", BRIDGES, re.M | re.S)
    (config,) = re.findall(r"^```json\n(.*?)^```", BRIDGES, re.M | re.S)
    (tmp_path / "storecore_logging.py").write_text(source)
    (tmp_path / "storecore.toml").write_text('[store]\nbackend = "file"\nbase_path = "data"\n')
    command = [sys.executable, "-c", LOGS, config]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    with storecore.open_store("file", base_path=tmp_path / "data") as store:
        return store.read_events()


def test_the_bridge_of_the_guide_keeps_what_a_program_logs(logs):
    (event,) = logs
    assert (event.type, event.source, event.symbol) == ("warning", "desk", None)
    assert event.payload == {"logger": "desk.orders", "line": 4, "text": "order 7 was refused"}


def test_vnpy_finds_the_package_by_the_name_in_its_settings(found):
    assert found["module"] == "vnpy_storecore"


def test_another_process_lists_the_series(found):
    assert found["series"] == [
        ["AAPL", "NASDAQ", "d", 3, "2026-01-05 00:00:00", "2026-01-07 00:00:00"],
        ["AAPL", "NASDAQ", "1m", 3, "2026-01-05 00:00:00", "2026-01-05 00:02:00"],
    ]
    assert found["ticks"] == [["AAPL", 1]]


def test_bars_come_back_with_all_their_fields(found):
    (first, second) = found["days"]
    assert [first["datetime"], second["datetime"]] == [
        "2026-01-06T00:00:00+08:00",
        "2026-01-07T00:00:00+08:00",
    ]
    names = ("open_price", "high_price", "low_price", "close_price")
    assert [first[name] for name in names] == [10.5, 12.0, 9.25, 11.0]
    assert (first["volume"], first["turnover"], first["open_interest"]) == (100.0, 1050.5, 7.0)
    assert first["vt_symbol"] == "AAPL.NASDAQ"


def test_minutes_come_back_at_their_instants(found):
    assert found["minutes"] == [f"2026-01-05T00:0{minute}:00+08:00" for minute in range(3)]


def test_a_tick_comes_back_to_the_microsecond(found):
    at = "2026-01-05T09:30:00.500000+08:00"
    assert found["tick"] == [at, "Apple", 5.0, 11.25, 11.0, "2026-01-05 09:30:01"]


def test_a_range_that_ends_before_it_starts_is_empty(found):
    assert found["none"] == []


@pytest.mark.usefixtures("found")
def test_the_store_is_read_without_vnpy(vnpy):
    with storecore.open_store("file", base_path=vnpy.folder / "data", create=False) as store:
        days = store.read_bars("AAPL.NASDAQ")
    assert [each.date for each in days] == [datetime(2026, 1, day) for day in (5, 6, 7)]
    assert days[0].extra == {"turnover": 1050.5, "open_interest": 7.0}


@pytest.mark.usefixtures("found")
def test_what_is_deleted_is_gone_and_counted(vnpy):
    assert json.loads(vnpy(DELETING)) == [3, 1, 1, 0]


SHAPE = """
import dataclasses, inspect, json
from vnpy.trader import constant, database, object
methods = database.BaseDatabase.__abstractmethods__
print(json.dumps({
    "methods": {name: list(inspect.signature(getattr(database.BaseDatabase, name)).parameters)
                for name in sorted(methods)},
    "intervals": {each.name: each.value for each in constant.Interval},
    "records": {kind.__name__: [each.name for each in dataclasses.fields(kind)]
                for kind in (object.BarData, object.TickData, database.BarOverview,
                             database.TickOverview)},
}))
"""


@pytest.mark.skipif(not HAS_VNPY, reason=LACKING)
def test_the_interface_that_stands_in_for_vnpy_is_that_of_vnpy(tmp_path):
    (tmp_path / ".vntrader").mkdir()
    ours, theirs = (
        subprocess.run(
            [sys.executable, "-c", SHAPE],
            env=environment(*folders),
            cwd=tmp_path,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        for folders in ([INTERFACE], [])
    )
    assert json.loads(ours) == json.loads(theirs)
