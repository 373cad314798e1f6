"""`storecore backends` tells what is installed, from which package, and whether it works."""

from __future__ import annotations

import decimal
import json
import locale
import logging
import os
import re
import signal
import socket
import sys
import time

import pytest

import storecore
from storecore import open_store
from storecore.builtin.memory import MemoryDataStore
from storecore.plugins import known
from storecore.plugins.discovery import load_spec
from storecore.testing.report import KIT, LEVELS


def row_of(name, result):
    return next(line for line in result.stdout.splitlines() if line.split()[:1] == [name])


def test_a_backend_is_listed_with_its_package_and_version(cli, site):
    site.backend("", name="acme")
    assert "acme-acme 1.5" in row_of("acme", cli("backends"))


@pytest.mark.parametrize("name", ["memory", "file", "mirror", "readonly", "cached", "routed"])
def test_a_backend_that_opens_and_has_what_it_declares_is_healthy(cli, name):
    assert "healthy" in row_of(name, cli("backends"))


def test_a_backend_that_needs_a_server_is_not_called_healthy(cli):
    result = cli("backends")
    assert "healthy" not in row_of("postgres", result)
    assert "loads: needs options to be opened; check it with storecore backends" in result.stdout


def test_where_each_backend_was_opened_no_check_is_advised(cli, monkeypatch):
    memory = [each for each in storecore.backends() if each.name == "memory"]
    monkeypatch.setattr("storecore.cli.backends.backends", lambda: memory)
    assert "loads" not in cli("backends").stdout


def test_a_backend_is_opened_for_the_list_outside_of_the_current_folder(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli("backends")
    assert list(tmp_path.iterdir()) == []


DECLARES = """
from pathlib import Path
from msgspec import Struct
from storecore import BackendSpec, ConfigError, NoStore, hookimpl
from storecore.builtin.memory import MemoryDataStore

class Config(Struct):
    {option}

class Store(MemoryDataStore):
    {body}

def opened(config):
    {opened}

@hookimpl
def storecore_backend():
    return BackendSpec(name="acme", config=Config, open=opened, {fields})
"""


@pytest.fixture
def health(cli, site):
    """Install a backend `acme`, and return its row in the list."""

    def of(*, option="pass", body="pass", opened="return Store()", fields=""):
        source = DECLARES.format(option=option, body=body, opened=opened, fields=fields)
        site.backend(source, name="acme")
        return row_of("acme", cli("backends"))

    return of


DISK_USAGE = "capabilities=frozenset({'DiskUsage'})"


def test_a_backend_that_declares_a_capability_whose_methods_it_lacks_is_not_healthy(health):
    row = health(fields=DISK_USAGE)
    assert "healthy" not in row
    assert "declares the capability DiskUsage, but the Store that it opened lacks" in row


def test_a_backend_whose_method_takes_other_arguments_is_not_healthy(health):
    fields = "capabilities=frozenset({'Catalog'})"
    row = health(body="def symbols(self, zone): ...", fields=fields)
    assert "healthy" not in row
    assert "it declares Catalog, but it has symbols(zone), the protocol symbols(" in row


def test_a_backend_whose_ten_methods_take_other_arguments_is_not_healthy(health):
    row = health(body="def write_event(self, event, loud): ...")
    assert "it is no DataStore: it has write_event(event, loud)" in row


STUBS = {
    "BarTables": "read_bar_table(self, symbols, start, end, *, timeframe='1d', columns=None)",
    "Catalog": "timeframes(self, symbol)",
    "AuditTrail": "read_decisions(self, start, end, strategy_name=None)",
    "VersionedState": "state_history(self, strategy_name)",
    "Transfer": "iter_audit(self, log, after=0)",
    "History": "bar_versions(self, symbol, start=None, end=None, *, timeframe='1d', recorded=None)",
}


@pytest.mark.parametrize(("capability", "method"), STUBS.items())
def test_a_backend_whose_method_of_a_capability_only_raises_is_not_healthy(
    cli, health, capability, method
):
    body = f"def {method}: raise NotImplementedError('later')"
    row = health(body=body, fields=f"capabilities=frozenset({{'{capability}'}})")
    assert f"{capability}: NotImplementedError" in row
    assert "healthy" not in row
    result = cli("backends", "--check", "acme")
    assert "FAILED  answers by what it declares" in result.stdout


def test_a_backend_that_cannot_be_closed_is_not_healthy(health):
    row = health(body="def close(self): 1 / 0")
    assert ("healthy" in row, "ZeroDivisionError" in row) == (False, True)


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({"body": "load_strategy_state = property(lambda self: 1 / 0)"}, "ZeroDivisionError"),
        ({"body": "write_event = staticmethod(dict)"}, "it has write_event()"),
        ({"body": "write_event = None"}, "lacks write_event"),
        ({"option": "path: 'Unknown'"}, "NameError: name 'Unknown' is not defined"),
        ({"opened": "raise SystemExit(3)"}, "SystemExit: 3"),
    ],
)
def test_whatever_a_backend_does_when_it_is_tried_does_not_end_the_list(cli, health, given, cause):
    row = health(**given)
    assert ("healthy" in row, cause in row) == (False, True)
    assert "healthy" in row_of("memory", cli("backends"))


def test_an_interrupt_that_a_backend_raises_does_not_end_the_list(cli, health):
    assert "KeyboardInterrupt" in health(option="path: Path", opened="raise KeyboardInterrupt")


ENDS = "import os; os._exit(0)"
HANGS = "import time; time.sleep(600)"
OUTCOMES = {ENDS: "it ended its process with status 0", HANGS: "it has not ended after 1 seconds"}


@pytest.mark.parametrize(("source", "said"), OUTCOMES.items())
def test_a_plugin_that_hangs_or_ends_its_process_is_listed_with_that(
    cli, site, monkeypatch, source, said
):
    monkeypatch.setattr("storecore.cli.backends.LIMIT", 1 if source == HANGS else 60)
    site.backend(source, name="acme")
    site.install("other", modules={"other_watch": source}, plugins={"watch": "other_watch"})
    result = cli("backends")
    assert said in row_of("acme", result)
    assert said in row_of("watch", result)
    assert "healthy" in row_of("memory", result)


@pytest.mark.parametrize(("source", "said"), OUTCOMES.items())
@pytest.mark.parametrize("name", ["acme", "watch"])
def test_the_check_of_a_plugin_that_hangs_or_ends_its_process_fails(
    cli, site, monkeypatch, name, source, said
):
    monkeypatch.setattr("storecore.cli.backends.LIMIT", 1 if source == HANGS else 60)
    site.backend(source, name="acme")
    site.install("other", modules={"other_watch": source}, plugins={"watch": "other_watch"})
    result = cli("backends", "--check", name)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f" {name!r} from " in result.stderr
    assert said in result.stderr


def test_the_check_of_a_backend_whose_opening_hangs_fails(cli, site, monkeypatch):
    opened = "import time; time.sleep(600)"
    source = DECLARES.format(option="pass", body="pass", opened=opened, fields="")
    monkeypatch.setattr("storecore.cli.backends.LIMIT", 2)
    site.backend(source, name="acme")
    result = cli("backends", "--check", "acme")
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.search(r"backend 'acme' from .* has not ended after 2 seconds", result.stderr)


def test_a_backend_whose_open_fails_is_not_healthy(health):
    assert "its open raised ZeroDivisionError" in health(opened="1 / 0")


def test_a_backend_that_has_a_path_is_opened_in_a_temporary_folder(health, tmp_path):
    said = tmp_path / "said"
    opened = (
        f"Path({str(said)!r}).write_text(str(config.path)); config.path.mkdir(); return Store()"
    )
    assert "healthy" in health(option="path: Path = Path('.')", opened=opened)
    assert not os.path.exists(said.read_text())


@pytest.mark.parametrize(
    "given",
    [
        {"option": "host: str"},
        {"option": "host: str = 'localhost'", "fields": "promises=frozenset({'durable'})"},
        {"option": "path: Path", "opened": "raise ConfigError('give user and password')"},
    ],
)
def test_a_backend_that_cannot_be_tried_in_a_folder_is_only_said_to_load(health, given):
    row = health(**given)
    assert ("healthy" in row, " loads " in row) == (False, True)


def test_why_a_store_of_a_backend_could_not_be_opened_is_said(cli, health):
    row = health(option="path: Path", opened="raise NoStore('no library')")
    assert "loads: opening failed: NoStore: no library" in row
    assert "healthy" not in row


def test_a_capability_that_is_not_declared_is_reported(cli, health):
    health(fields="capabilities=frozenset({'BarTables', 'AuditTrail'})")
    result = cli("backends", "--check", "acme")
    assert "FAILED  declares what it has" in result.stdout
    assert "it has Catalog, Bulk, BulkAudit, " in result.stderr
    assert "which its spec does not declare" in result.stderr


def test_a_backend_that_loads_is_shown_with_its_capabilities(cli):
    assert "AuditTrail, BarTables, Bulk" in row_of("memory", cli("backends"))


def test_a_backend_that_fails_to_import_is_listed_with_the_cause(cli, site):
    site.backend("raise RuntimeError('no\\nluck')")
    row = row_of("broken", cli("backends"))
    assert "RuntimeError: no luck" in row


def test_a_broken_backend_is_no_error_of_the_list(cli, site):
    site.backend("raise RuntimeError('no luck')")
    assert cli("backends").exit_code == 0


def test_a_backend_provided_twice_is_reported_without_loading_it(cli, site):
    for distribution in ("acme-one", "acme-two"):
        site.install(distribution, backends={"double": "nowhere"})
    assert "duplicate" in row_of("double", cli("backends"))


def test_a_wrapper_is_shown_with_what_it_depends_on(cli):
    assert "those of its nested stores" in row_of("mirror", cli("backends"))


def test_a_healthy_backend_is_opened_and_tried(cli, tmp_path):
    open_store("file", base_path=tmp_path / "data").close()
    result = cli("backends", "--check", "file", "--set", f"base_path={tmp_path / 'data'}")
    assert result.exit_code == 0
    steps = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert {state for state, _ in steps} == {"ok"}
    assert [what for _, what in steps] == [
        "opens",
        "has what it declares",
        "declares what it has",
        "reads bars",
        "reads fundamentals",
        "reads events",
        "loads states",
        "answers by what it declares",
        "its audit log is whole",
        "closes",
        "refuses use after close",
        "no other plugin has its name",
        "its import leaves the process as it was",
    ]


def test_a_backend_that_cannot_be_opened_is_one_error(cli):
    result = cli("backends", "--check", "file", "--set", "base_pth=data")
    assert result.exit_code == 1
    assert "base_pth: unknown option (did you mean 'base_path'?)" in result.stderr


def test_an_unknown_backend_is_one_error(cli):
    result = cli("backends", "--check", "memry")
    assert (result.exit_code, "did you mean 'memory'" in result.stderr) == (1, True)


def test_what_is_wrong_with_a_backend_is_told_step_by_step(cli, backend_with):
    backend_with()  # it stays open, and answers of AAPL whatever it is asked
    result = cli("backends", "--check", "partial")
    assert result.exit_code == 1
    assert "ok      reads bars" in result.stdout
    assert "audit log" not in result.stdout
    assert "FAILED  refuses use after close" in result.stdout
    assert (
        "not healthy: refuses use after close: expected nothing, got 'a result after close()'"
        in result.stderr
    )


def test_a_read_that_raises_is_reported(cli, backend_with, monkeypatch):
    backend_with()
    monkeypatch.setattr(MemoryDataStore, "read_events", lambda *args: 1 / 0)
    result = cli("backends", "--check", "partial")
    assert "FAILED  reads events" in result.stdout
    assert "reads events: ZeroDivisionError" in result.stderr


def test_an_edited_audit_log_is_reported(cli, tmp_path, decision):
    with open_store("file", base_path=tmp_path) as store:
        store.log_decision("value", decision())
    (log,) = (tmp_path / "audit" / "decisions").glob("*.jsonl")
    log.write_bytes(log.read_bytes().replace(b"cheap", b"dear!"))
    result = cli("backends", "--check", "file", "--set", f"base_path={tmp_path}")
    assert "FAILED  its audit log is whole" in result.stdout
    assert "edited at" in result.stderr


def test_settings_without_a_backend_to_check_are_refused(cli):
    result = cli("backends", "--set", "base_path=data")
    assert (result.exit_code, "give --check NAME" in result.stderr) == (1, True)


OBSERVER = """
from storecore import hookimpl

@hookimpl
def storecore_closed(store): pass
"""


def test_an_observer_is_listed_with_its_package_its_health_and_its_hooks(cli, site):
    site.install(
        "acme-watch", "2.1", modules={"acme_watch": OBSERVER}, plugins={"watch": "acme_watch"}
    )
    result = cli("backends")
    assert "Observers, called for every store that is opened or written to:" in result.stdout
    row = row_of("watch", result)
    assert ("acme-watch 2.1" in row, "healthy" in row, "storecore_closed" in row) == (True,) * 3


@pytest.mark.parametrize(
    ("source", "cause"),
    [("1/0", "ZeroDivisionError"), ("", "marked with @storecore.hookimpl, found none")],
)
def test_an_observer_that_fails_is_listed_with_the_cause(cli, site, source, cause):
    site.install("acme-watch", modules={"acme_watch": source}, plugins={"watch": "acme_watch"})
    result = cli("backends")
    row = row_of("watch", result)
    assert (result.exit_code, "healthy" in row, cause in row) == (0, False, True)


def test_observers_that_are_turned_off_are_listed_as_such_and_not_imported(cli, site, monkeypatch):
    site.install("acme-watch", modules={"acme_watch": "1/0"}, plugins={"watch": "acme_watch"})
    monkeypatch.setenv("STORECORE_OBSERVERS", "off")
    result = cli("backends")
    assert "(off: see STORECORE_OBSERVERS)" in result.stdout
    assert "installed" in row_of("watch", result)
    assert "acme_watch" not in sys.modules


def test_one_observer_that_is_turned_off_is_listed_as_such_and_not_imported(cli, site, monkeypatch):
    site.install("acme-watch", modules={"acme_watch": "1/0"}, plugins={"watch": "acme_watch"})
    site.install("acme-other", modules={"acme_other": OBSERVER}, plugins={"other": "acme_other"})
    monkeypatch.setenv("STORECORE_OBSERVERS", "-watch")
    result = cli("backends")
    assert "off: see STORECORE_OBSERVERS" in row_of("watch", result)
    assert "healthy" in row_of("other", result)
    assert "acme_watch" not in sys.modules


@pytest.mark.usefixtures("site")
def test_without_an_observer_none_is_spoken_of(cli):
    assert "bserver" not in cli("backends").stdout


def test_an_observer_is_checked_by_loading_it(cli, site):
    site.install("acme-watch", modules={"acme_watch": OBSERVER}, plugins={"watch": "acme_watch"})
    checked = [
        line.split(maxsplit=1) for line in cli("backends", "--check", "watch").stdout.splitlines()
    ]
    assert checked == [
        ["ok", "no other plugin has its name"],
        ["ok", "its import leaves the process as it was"],
        ["ok", "storecore_closed"],
    ]


def test_an_observer_that_cannot_be_loaded_is_one_error(cli, site):
    site.install("acme-watch", modules={"acme_watch": "1/0"}, plugins={"watch": "acme_watch"})
    result = cli("backends", "--check", "watch")
    assert (result.exit_code, "ZeroDivisionError" in result.stderr) == (1, True)


def test_an_observer_whose_hook_is_async_is_refused(cli, site):
    source = OBSERVER.replace("def ", "async def ")
    site.install("acme-watch", modules={"acme_watch": source}, plugins={"watch": "acme_watch"})
    result = cli("backends", "--check", "watch")
    assert (result.exit_code, "storecore_closed is async" in result.stderr) == (1, True)


def test_a_name_of_no_plugin_is_answered_with_the_backends_and_the_observers(cli, site):
    assert cli("backends", "--check", "tally").stderr.endswith("; observers: none\n")
    site.install("acme-watch", modules={"acme_watch": OBSERVER}, plugins={"watch": "acme_watch"})
    told = cli("backends", "--check", "tally").stderr
    assert "no backend 'tally'" in told
    assert told.endswith("; observers: watch\n")


@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("readonly", """--set 'store={backend="memory"}'"""),
        ("mirror", """--set 'replicas=[{backend="memory"}]'"""),
    ],
)
def test_the_check_of_a_wrapper_shows_how_its_store_is_given(cli, name, example):
    assert example in cli("backends", "--check", name).stderr
    setting = {"readonly": [], "mirror": ["--set", "primary={backend='memory'}"]}[name]
    given = example.removeprefix("--set '").removesuffix("'")
    assert cli("backends", "--check", name, "--set", given, *setting).exit_code == 0


def test_a_package_with_broken_metadata_is_listed_once_with_the_cause(cli, site, caplog):
    info = site.install("acme-torn")
    (info / "entry_points.txt").write_bytes(b"\xff")
    result = cli("backends")
    assert result.exit_code == 0
    assert result.stdout.count("is left out: its metadata cannot be read: UnicodeDecodeError") == 1
    assert caplog.messages == []


def test_a_backend_that_ends_the_program_ends_no_list(cli, site):
    site.backend("raise SystemExit(3)")
    result = cli("backends")
    assert result.exit_code == 0
    assert "SystemExit: 3" in row_of("broken", result)


@pytest.mark.parametrize("raised", [SystemExit, GeneratorExit])
def test_a_read_that_would_end_the_program_is_a_step_that_failed(
    cli, backend_with, monkeypatch, raised
):
    def fail(*args):
        raise raised

    backend_with()
    monkeypatch.setattr(MemoryDataStore, "read_events", fail)
    result = cli("backends", "--check", "partial")
    assert f"reads events: {raised.__name__}" in result.stderr
    assert "refuses use after close" in result.stdout


def test_an_interrupt_that_a_backend_raises_in_a_check_is_an_error(cli, backend_with, monkeypatch):
    def fail(*args):
        raise KeyboardInterrupt

    backend_with()
    monkeypatch.setattr(MemoryDataStore, "read_events", fail)
    result = cli("backends", "--check", "partial")
    assert (result.exit_code, "KeyboardInterrupt" in result.stderr) == (1, True)


def test_an_interrupt_of_the_check_of_a_built_in_backend_goes_through(cli, monkeypatch):
    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(MemoryDataStore, "read_events", fail)
    assert cli("backends", "--check", "memory").exit_code == 130


@pytest.fixture
def process():
    """Whatever a plugin changes in the process is set back after the test."""
    handler, context = signal.getsignal(signal.SIGUSR1), decimal.getcontext().copy()
    zone, where, timeout = os.environ.get("TZ"), os.getcwd(), socket.getdefaulttimeout()
    default, names = decimal.DefaultContext.prec, locale.setlocale(locale.LC_ALL)
    root = list(logging.getLogger().handlers)
    yield
    signal.signal(signal.SIGUSR1, handler)
    decimal.setcontext(context)
    decimal.DefaultContext.prec = default
    os.chdir(where)
    socket.setdefaulttimeout(timeout)
    locale.setlocale(locale.LC_ALL, names)
    logging.getLogger().handlers[:] = root
    os.environ.pop("TZ", None)
    if zone is not None:
        os.environ["TZ"] = zone
    time.tzset()


OTHER_LOCALE = """
import locale
name = "C" if locale.setlocale(locale.LC_ALL) != "C" else "C.UTF-8"
locale.setlocale(locale.LC_ALL, name)
"""
LOGGING = "the handlers or levels of the root logger or of storecore's"
CHANGES = {
    "import os; os.environ['TZ'] = 'Asia/Tokyo'": "the time zone (TZ)",
    "import os, time; os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()": "the time zone (TZ)",
    OTHER_LOCALE: "the locale",
    "import signal; signal.signal(signal.SIGUSR1, lambda *_: None)": "signal handlers",
    "import decimal; decimal.getcontext().prec = 5": "the decimal context",
    "import decimal; decimal.getcontext().traps[decimal.Inexact] = True": "the decimal context",
    "import decimal; decimal.DefaultContext.prec = 6": "the decimal context",
    "import os; os.chdir('/')": "the working directory",
    "import socket; socket.setdefaulttimeout(3)": "the default timeout of sockets",
    "import logging; logging.getLogger().addHandler(logging.NullHandler())": LOGGING,
    "import logging; logging.getLogger('storecore').setLevel(99)": LOGGING,
    "import logging; logging.disable(logging.CRITICAL)": LOGGING,
    "import sys; sys.path.append('/nowhere')": "sys.path",
    "import warnings; warnings.simplefilter('ignore')": "the filters of warnings",
    "import sys; sys.setrecursionlimit(54321)": "the limit of recursion",
    "import sys; sys.excepthook = print": "sys.excepthook",
}


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize(("source", "what"), CHANGES.items())
def test_an_observer_that_changes_the_process_at_its_import_is_reported(cli, site, source, what):
    site.install("acme", modules={"acme_watch": source + OBSERVER}, plugins={"watch": "acme_watch"})
    result = cli("backends", "--check", "watch")
    assert "FAILED  its import leaves the process as it was" in result.stdout
    assert "the observer 'watch' is not healthy: its import leaves the process" in result.stderr
    assert f": it changes {what}\n" in result.stderr


def test_a_filter_of_warnings_with_a_text_is_no_change_for_others(cli, site):
    source = "import warnings; warnings.filterwarnings('ignore', message='acme')"
    site.install("acme", modules={"acme_watch": source + OBSERVER}, plugins={"watch": "acme_watch"})
    assert cli("backends", "--check", "watch").exit_code == 0


PLAIN = DECLARES.format(option="pass", body="pass", opened="return Store()", fields="")
TOKYO = "import os; os.environ['TZ'] = 'Asia/Tokyo'"


@pytest.mark.usefixtures("process")
def test_a_backend_that_changes_the_process_at_its_import_is_reported(cli, site):
    site.backend(TOKYO + PLAIN, name="acme")
    result = cli("backends", "--check", "acme")
    assert (result.exit_code, "it changes the time zone (TZ)" in result.stderr) == (1, True)


@pytest.mark.usefixtures("process")
def test_a_file_that_changes_the_process_at_its_import_is_reported(cli, tmp_path):
    file = tmp_path / "acme.py"
    file.write_text(TOKYO + PLAIN)
    result = cli("backends", "--plugin", file, "--check", "acme")
    assert (result.exit_code, "it changes the time zone (TZ)" in result.stderr) == (1, True)


def test_a_backend_that_takes_the_name_of_a_built_in_one_is_reported(cli, site):
    site.install("acme", modules={"acme": PLAIN}, backends={"memory": "acme"})
    result = cli("backends", "--check", "memory")
    assert result.exit_code == 1
    assert "provided twice, by acme 1.0" in result.stderr
    assert "the name belongs to storecore: uninstall acme\n" in result.stderr


def test_an_observer_that_takes_the_name_of_a_built_in_backend_is_reported(cli, site):
    site.install("acme", "1.5", modules={"acme": OBSERVER}, plugins={"memory": "acme"})
    result = cli("backends", "--check", "memory")
    assert "FAILED  no other plugin has its name" in result.stdout
    assert "plugin 'memory' from acme 1.5 (entry point 'acme') has it too" in result.stderr


def test_two_observers_of_one_name_are_reported(cli, site):
    for name in ("acme-one", "acme-two"):
        module = name.replace("-", "_")
        site.install(name, modules={module: OBSERVER}, plugins={"watch": module})
    result = cli("backends", "--check", "watch")
    assert "plugin 'watch' from acme-two 1.0 (entry point 'acme_two') has it too" in result.stderr


def test_a_backend_and_an_observer_of_one_package_may_share_a_name(cli, site):
    source = PLAIN + OBSERVER
    site.install(
        "acme", modules={"acme": source}, backends={"acme": "acme"}, plugins={"acme": "acme"}
    )
    assert "ok      no other plugin has its name" in cli("backends", "--check", "acme").stdout


def test_a_check_that_finds_a_missing_argument_says_which(cli, site):
    fields = "capabilities=frozenset({'Catalog'})"
    source = DECLARES.format(
        option="pass", body="def symbols(self, zone): ...", opened="return Store()", fields=fields
    )
    site.backend(source, name="acme")
    result = cli("backends", "--check", "acme")
    assert "FAILED  has what it declares" in result.stdout
    assert "it declares Catalog, but it has symbols(zone), the protocol symbols(" in result.stderr


def test_the_known_backends_are_listed_with_level_version_and_tier(cli):
    result = cli("backends", "--known")
    assert row_of("file", result).split() == [
        "file",
        "pip",
        "install",
        "'storecore'",
        "ours",
        "sealed",
        storecore.__version__,
        KIT,
    ]
    for tier, meaning in known.TIERS.items():
        assert f"\n{tier}: {meaning}" in result.stdout


def test_with_the_known_backends_stands_how_to_be_listed_and_what_is_wished_for(cli):
    shown = cli("backends", "--known").stdout
    for number, step in enumerate(known.TO_BE_LISTED, 1):
        assert f"\n{number}. {step}\n" in shown
    wished = shown.splitlines()[-1]
    assert [each.backend for each in known.WISHES if each.backend not in wished] == []


def test_no_wish_is_known_already():
    names = {each.name for each in known.KNOWN}
    words = {word for each in known.WISHES for word in each.backend.lower().split()}
    assert names & words == set()


@pytest.mark.parametrize("more", [("--check", "file"), ("--set", "a=1")])
def test_the_known_backends_are_not_checked(cli, more):
    result = cli("backends", "--known", *more)
    assert (result.exit_code, "omit --check and --set" in result.stderr) == (1, True)


def test_each_known_backend_has_a_tier_and_a_level():
    levels = {known.NESTED, "sound", *LEVELS}
    assert all(each.tier in known.TIERS and each.level in levels for each in known.KNOWN)
    assert len({each.name for each in known.KNOWN}) == len(known.KNOWN)


def test_the_level_of_a_backend_of_ours_is_what_it_promises_at_this_release():
    for each in known.KNOWN:
        if each.tier == "ours":
            promises = load_spec(each.name).promises
            assert (each.version, each.kit) == (storecore.__version__, KIT)
            assert each.level == (known.NESTED if callable(promises) else promised(promises))


def promised(promises):
    """Return the highest level whose promise, and each before it, a backend makes."""
    level = "sound"
    for name in LEVELS:
        if name not in promises:
            break
        level = name
    return level


def test_as_json_backends_are_listed_with_their_health(cli, site):
    site.backend("raise RuntimeError('no luck')")
    found = json.loads(cli("backends", "--json").stdout)
    health = {each["name"]: each["health"] for each in found["backends"]}
    assert (health["memory"], "no luck" in health["broken"]) == ("healthy", True)
    assert found["left_out"] == []


def test_as_json_a_check_lists_its_steps(cli):
    steps = json.loads(cli("backends", "--check", "memory", "--json").stdout)
    assert steps[0] == {"what": "opens", "wrong": ""}


def test_as_json_observers_are_listed_with_their_hooks_and_checked(cli, site):
    site.install("acme-watch", modules={"acme_watch": OBSERVER}, plugins={"watch": "acme_watch"})
    (watch,) = json.loads(cli("backends", "--json").stdout)["observers"]
    assert (watch["health"], watch["hooks"]) == ("healthy", "storecore_closed")
    steps = json.loads(cli("backends", "--check", "watch", "--json").stdout)
    assert steps[-1] == {"what": "storecore_closed", "wrong": ""}


@pytest.mark.parametrize(
    ("name", "told"), [("", "desk"), ("desk", "opens"), ("watch", "storecore_closed")]
)
def test_what_plugins_print_is_no_part_of_the_json(cli, site, tmp_path, name, told):
    watch = f"print('banner')\n{OBSERVER}"
    site.install("acme-watch", modules={"acme_watch": watch}, plugins={"watch": "acme_watch"})
    site.backend("print('banner')\n" + PRINTS, name="desk")
    (tmp_path / "more.py").write_text(watch)
    check = ["--check", name] if name else []
    result = cli("backends", "--json", *check, "--plugin", tmp_path / "more.py")
    assert (told in str(json.loads(result.stdout)), "banner" in result.stderr) == (True, True)


def test_what_a_backend_prints_is_no_part_of_what_a_command_answers(cli, site):
    site.backend("print('banner')\n" + PRINTS, name="desk")
    result = cli("ls", "--backend", "desk", "--json")
    assert (json.loads(result.stdout), "opening" in result.stderr) == ([], True)


PRINTS = """
from msgspec import Struct
from storecore import BackendSpec, hookimpl
from storecore.builtin.memory import MemoryDataStore

class Config(Struct):
    pass

def opened(config):
    print("opening")
    return MemoryDataStore()

@hookimpl
def storecore_backend():
    return BackendSpec(name="desk", config=Config, open=opened)
"""


def test_as_json_the_known_backends_have_all_their_fields(cli):
    (file,) = [
        each
        for each in json.loads(cli("backends", "--known", "--json").stdout)
        if each["name"] == "file"
    ]
    assert (file["level"], file["tier"], file["kit"]) == ("sealed", "ours", KIT)
