"""A process registers a backend for its tests, or one file as a plugin."""

from __future__ import annotations

import signal
import sys
import threading
import warnings
from multiprocessing import get_context
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest
from msgspec import Struct

import storecore
from storecore import BackendSpec, hookimpl
from storecore.builtin.memory import MemoryDataStore, storecore_backend
from storecore.plugins import observers, registry
from storecore.plugins.formats import plugin_formats
from storecore.plugins.observers import load_observers
from storecore.plugins.registration import register_file


class Config(Struct):
    path: Path = Path("desk")


def spec_named(name, **fields):
    return BackendSpec(name=name, config=Config, open=lambda config: MemoryDataStore(), **fields)


def names():
    return [each.name for each in storecore.backends()]


def test_a_registered_backend_is_opened_by_its_name():
    with storecore.register(spec_named("fake")), storecore.open_store("fake") as store:
        assert isinstance(store, MemoryDataStore)


def test_a_registered_backend_may_be_nested_in_another():
    config = {"backend": "readonly", "store": {"backend": "fake"}}
    with storecore.register(spec_named("fake")), storecore.open_store(config) as store:
        assert store.read_bars("AAPL") == []


def test_the_options_of_a_registered_backend_are_checked():
    with (
        storecore.register(spec_named("fake")),
        pytest.raises(storecore.ConfigError, match="did you mean 'path'"),
    ):
        storecore.open_store("fake", pth="desk")


def test_a_registered_backend_is_listed_with_what_registered_it():
    with storecore.register(spec_named("fake")):
        (info,) = [each for each in storecore.backends() if each.name == "fake"]
    assert info == ("fake", "storecore.register()", "", "storecore.register()", "installed")


def test_an_error_of_a_registered_backend_names_what_registered_it():
    def fail(config):
        raise RuntimeError("no luck")

    spec = BackendSpec(name="fake", config=Config, open=fail)
    said = r"backend 'fake' from storecore\.register\(\): its open raised RuntimeError: no luck"
    with storecore.register(spec), pytest.raises(storecore.BackendLoadError, match=said):
        storecore.open_store("fake")


def test_a_backend_is_unknown_after_the_block_that_registered_it():
    with storecore.register(spec_named("fake")):
        pass
    with pytest.raises(storecore.UnknownBackend):
        storecore.open_store("fake")


def test_a_backend_is_removed_if_the_block_raises():
    with pytest.raises(ZeroDivisionError), storecore.register(spec_named("fake")):
        1 / 0  # noqa: B018
    assert "fake" not in names()


def test_a_backend_stays_until_it_is_undone_and_undoing_twice_is_fine():
    registration = storecore.register(spec_named("fake"))
    assert "fake" in names()
    registration.undo()
    registration.undo()
    assert "fake" not in names()


def test_undoing_one_leaves_the_others():
    with storecore.register(spec_named("one")):
        storecore.register(spec_named("two")).undo()
        assert "one" in names()


def test_undoing_twice_leaves_a_later_one_of_the_same_name():
    first = storecore.register(spec_named("fake"))
    first.undo()
    with storecore.register(spec_named("fake")):
        first.undo()
        assert "fake" in names()


def test_a_store_stays_open_when_its_backend_is_removed():
    with storecore.register(spec_named("fake")):
        store = storecore.open_store("fake")
    store.save_strategy_state("value", {"cash": 1})
    assert store.load_strategy_state("value") == {"cash": 1}


@pytest.mark.parametrize("name", ["memory", "file"])
def test_the_name_of_an_installed_backend_is_refused(name):
    said = rf"there is a backend '{name}' already, from storecore .*; give yours another name"
    with pytest.raises(storecore.DuplicateBackend, match=said):
        storecore.register(spec_named(name))
    assert names().count(name) == 1


def test_the_name_of_a_registered_backend_is_refused():
    with (
        storecore.register(spec_named("fake")),
        pytest.raises(storecore.DuplicateBackend, match=r"from storecore\.register\(\)"),
    ):
        storecore.register(spec_named("fake"))


def forked(work):
    """Return whether a forked child, which may not wait for a lock for long, finds `work` true."""

    def run():
        signal.alarm(20)
        sys.exit(0 if work() else 1)

    child = get_context("fork").Process(target=run)
    with warnings.catch_warnings():  # Python 3.12 and later warn if there are threads
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    child.join()
    return child.exitcode == 0


def test_a_forked_child_has_the_registered_backends_and_registers_its_own():
    with storecore.register(spec_named("one")):
        assert forked(lambda: storecore.register(spec_named("two")) and "one" in names())
        assert "two" not in names()


def test_a_child_forked_while_a_thread_registers_a_backend_does_not_wait_for_it(monkeypatch):
    begun, over = threading.Event(), threading.Event()

    def slow(plugin, backends):
        begun.set()
        assert over.wait(30)

    monkeypatch.setattr(registry, "_check_name_is_free", slow)
    thread = threading.Thread(target=storecore.register, args=[spec_named("one")])
    thread.start()
    assert begun.wait(30)
    monkeypatch.undo()
    assert forked(lambda: storecore.register(spec_named("two")) and "two" in names())
    registry._registering.after_fork()  # called after a fork: here it gives what a child has
    storecore.register(spec_named("three"))
    over.set()
    thread.join()
    registry.remove(registry.registered("storecore.backends"))


def test_of_threads_that_register_one_name_at_once_one_succeeds():
    barrier, done = threading.Barrier(8), []

    def work():
        barrier.wait()
        try:
            done.append(storecore.register(spec_named("fake")))
        except storecore.DuplicateBackend as error:
            done.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    (won,) = [each for each in done if isinstance(each, storecore.Registration)]
    assert (len(done), names().count("fake")) == (8, 1)
    won.undo()


class Hooks:
    @hookimpl
    def storecore_closed(self):
        pass


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("fake", "expected a BackendSpec, or .*; got the text 'fake'; open_store finds an instal"),
        (
            None,
            r"register\(\): expected a function .*; found none in the object None; or",
        ),
        (MemoryDataStore, "expected a BackendSpec, or .*; got the class MemoryDataStore$"),
        (BackendSpec, "expected a BackendSpec, or .*; got the class BackendSpec$"),
        (Hooks, "got the class Hooks; give an object of it$"),
        (storecore_backend, r"got the function storecore_backend; give storecore_backend\(\), its"),
        (lambda config: None, "got the function <lambda>$"),
        (threading, "found none in the module threading; or give a BackendSpec$"),
        (MemoryDataStore(), r"found none in the object MemoryDataStore\(.*\); or give a BackendS"),
        ({"name": "fake"}, r"found none in the object {'name': 'fake'}; or give a BackendSpec$"),
        (spec_named(""), "expected the name of its spec to be letters, .*, got ''"),
        (spec_named(None), "expected the name of its spec to be letters, .*, got None"),
        (spec_named("fake", capabilities=frozenset({"Catalg"})), "did you mean 'Catalog'"),
        (spec_named("fake", api=99), "written for version 99"),
        (spec_named("fake", init="grants"), "init to be callable or None, got 'grants'"),
        (spec_named("fake", remove="all"), "remove to be callable or None, got 'all'"),
        (spec_named("fake", optional="Bulk"), "optional to be a frozenset, got 'Bulk'"),
        (spec_named("fake", promises="durable"), "promises to be a frozenset, got 'dura"),
    ],
)
def test_an_invalid_spec_is_refused(spec, said):
    with pytest.raises(storecore.BackendLoadError, match=said):
        storecore.register(spec)


class Watch:
    """An observer that is an object."""

    def __init__(self):
        self.seen = []

    @storecore.hookimpl
    def storecore_written(self, kind, key, count):
        self.seen.append((kind, key, count))


def write_a_state():
    with storecore.open_store("memory") as store:
        store.save_strategy_state("value", {})


def test_an_object_may_be_an_observer_until_it_is_removed():
    watch = Watch()
    write_a_state()
    with storecore.register(watch):
        write_a_state()
    write_a_state()
    assert watch.seen == [("state", "value", 1)]


def test_a_module_may_be_an_observer():
    module = ModuleType("watch")
    exec(OBSERVER, vars(module))
    with storecore.register(module):
        write_a_state()
    assert module.SEEN == [("state", "value", 1)]


def test_an_object_may_be_a_backend_and_an_observer():
    class Both(Watch):
        @storecore.hookimpl
        def storecore_backend(self):
            return spec_named("fake")

    both = Both()
    with storecore.register(both), storecore.open_store("fake") as store:
        store.save_strategy_state("value", {})
    assert both.seen == [("state", "value", 1)]
    assert "fake" not in names()


def test_an_error_of_a_registered_observer_names_what_registered_it(caplog):
    class Failing:
        @storecore.hookimpl
        def storecore_written(self):
            raise OSError("no luck")

    with storecore.register(Failing()):
        write_a_state()
    (said,) = caplog.messages
    assert said.startswith("plugin 'Failing' from storecore.register() failed in storecore_written")


def test_an_object_is_registered_once_and_two_of_a_class_are_two():
    one, two = Watch(), Watch()
    with storecore.register(one), storecore.register(two):
        with pytest.raises(storecore.BackendLoadError, match="this object is a plugin already"):
            storecore.register(one)
        write_a_state()
    assert one.seen == two.seen == [("state", "value", 1)]


def test_a_file_and_its_module_are_registered_once(plugin):
    with register_file(plugin(OBSERVER)):
        module = sys.modules["storecore_plugin_desk"]
        with pytest.raises(storecore.BackendLoadError, match="this file is a plugin already, from"):
            storecore.register(module)


BACKEND = """
from msgspec import Struct
from storecore import BackendSpec, hookimpl
from storecore.builtin.memory import MemoryDataStore

class Config(Struct):
    depth: int = 1

@hookimpl
def storecore_backend():
    return BackendSpec(name="desk", config=Config, open=lambda config: MemoryDataStore())
"""
OBSERVER = """
from storecore import hookimpl

SEEN = []

@hookimpl
def storecore_written(store, kind, key, count):
    SEEN.append((kind, key, count))
"""
FORMAT = """
from storecore import ImportFormat, hookimpl

@hookimpl
def storecore_import_formats():
    return [ImportFormat(name="acme")]
"""


@pytest.fixture
def plugin(tmp_path):
    """Write a file and return its path."""

    def write(source, name="desk.py"):
        file = tmp_path / name
        file.write_text(dedent(source))
        return file

    return write


def test_a_file_may_be_a_backend(plugin):
    with register_file(plugin(BACKEND)), storecore.open_store("desk", depth=2) as store:
        assert isinstance(store, MemoryDataStore)
    assert "desk" not in names()


def test_a_file_may_have_any_ending_and_leaves_nothing_beside_it(plugin, tmp_path):
    with register_file(plugin(BACKEND, "desk.plugin")):
        assert "desk" in names()
    assert [each.name for each in tmp_path.iterdir()] == ["desk.plugin"]


def test_a_file_may_be_an_observer_until_it_is_removed(plugin, bar):
    with storecore.open_store("memory") as store:
        store.write_bars("AAPL", [bar()])
    with register_file(plugin(OBSERVER)):
        seen = sys.modules["storecore_plugin_desk"].SEEN
        with storecore.open_store("memory") as store:
            store.write_bars("AAPL", [bar()])
    with storecore.open_store("memory") as store:
        store.write_bars("AAPL", [bar()])
    assert seen == [("bars", "AAPL", 1)]


def test_a_file_that_is_registered_again_is_another_plugin(plugin):
    with register_file(plugin(OBSERVER)):
        found = set(registry.registered("storecore.plugins"))
    with register_file(plugin(OBSERVER)):
        found |= set(registry.registered("storecore.plugins"))
    assert len(found) == 2


def test_a_file_that_is_registered_again_observes_as_it_is_now(plugin):
    register_file(plugin(OBSERVER)).undo()
    with register_file(plugin(OBSERVER)):
        load_observers()
    with register_file(plugin(OBSERVER)), storecore.open_store("memory") as store:
        store.save_strategy_state("value", {})
        assert sys.modules["storecore_plugin_desk"].SEEN == [("state", "value", 1)]


def test_undoing_twice_leaves_the_module_of_a_later_file_of_the_same_name(plugin):
    first = register_file(plugin(OBSERVER))
    first.undo()
    with register_file(plugin(OBSERVER)):
        first.undo()
        assert "storecore_plugin_desk" in sys.modules


def test_an_observer_is_registered_once_by_whatever_path(plugin, monkeypatch):
    file = plugin(OBSERVER)
    monkeypatch.chdir(file.parent)
    said = rf"--plugin desk.py: this file is a plugin already, from --plugin {file}; name it once"
    with register_file(file), pytest.raises(storecore.BackendLoadError, match=said):
        register_file(Path("desk.py"))
    assert not {name for name in sys.modules if name.startswith("storecore_plugin_")}


def test_two_observers_of_one_name_are_two(plugin, tmp_path):
    (tmp_path / "other").mkdir()
    with (
        register_file(plugin(OBSERVER)),
        register_file(plugin(OBSERVER, "other/desk.py")),
        storecore.open_store("memory") as store,
    ):
        store.save_strategy_state("value", {})
        seen = [sys.modules[f"storecore_plugin_desk{end}"].SEEN for end in ("", "_")]
        assert seen == [[("state", "value", 1)]] * 2


def test_a_module_of_a_file_knows_where_it_is(plugin, monkeypatch):
    file = plugin(OBSERVER)
    monkeypatch.chdir(file.parent)
    with register_file(Path("desk.py")):
        assert sys.modules["storecore_plugin_desk"].__file__ == str(file)


def test_a_file_that_removes_its_module_and_fails_is_named_with_the_cause(plugin):
    file = plugin("import sys\ndel sys.modules[__name__]\n1 / 0")
    with pytest.raises(storecore.BackendLoadError, match="line 3: ZeroDivisionError"):
        register_file(file)


def test_a_child_forked_while_a_thread_loads_observers_loads_them_itself(plugin, monkeypatch):
    begun, over, find = threading.Event(), threading.Event(), observers.find

    def slow(group):
        begun.set()
        assert over.wait(30)
        return find(group)

    with register_file(plugin(OBSERVER)):
        monkeypatch.setattr(observers, "find", slow)
        thread = threading.Thread(target=load_observers)
        thread.start()
        assert begun.wait(30)
        monkeypatch.undo()
        assert forked(lambda: len(load_observers().all) > 0)
        observers._loading.after_fork()  # called after a fork: here it gives what a child has
        assert len(load_observers().all) > 0
        over.set()
        thread.join()


def test_a_file_that_forks_while_it_is_loaded_goes_on_loading_in_the_child(plugin, monkeypatch):
    found, find = [], observers.find

    def forking(group):
        found.append(forked(lambda: load_observers() == observers.Observers(())))
        return find(group)

    monkeypatch.setattr(observers, "find", forking)
    with register_file(plugin(OBSERVER)):
        load_observers()
    assert found == [True]


def test_a_file_may_be_a_backend_and_an_observer(plugin):
    with register_file(plugin(BACKEND + OBSERVER)), storecore.open_store("desk") as store:
        store.save_strategy_state("value", {})
        assert sys.modules["storecore_plugin_desk"].SEEN == [("state", "value", 1)]


def test_a_file_that_is_only_a_backend_is_no_observer(plugin):
    before = load_observers()
    with register_file(plugin(BACKEND)):
        assert load_observers() == before


def test_a_file_may_have_formats_of_files(plugin):
    with register_file(plugin(FORMAT)):
        assert "acme" in [each.name for each in plugin_formats()]


def test_two_files_of_one_name_do_not_share_a_module(plugin):
    first = register_file(plugin(OBSERVER))
    with first, register_file(plugin(BACKEND)):
        assert hasattr(sys.modules["storecore_plugin_desk"], "SEEN")
        assert hasattr(sys.modules["storecore_plugin_desk_"], "Config")
    assert not {name for name in sys.modules if name.startswith("storecore_plugin_")}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "expected a function that is marked with @storecore.hookimpl"),
        ("1 +", r"its import failed: SyntaxError: .*line 1"),
        ("\n\n1 / 0", "its import failed in line 3: ZeroDivisionError: division by zero"),
        ("import no_such_module", "in line 1: ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)", "its import failed in line 1: SystemExit: 3"),
        (OBSERVER.replace("storecore_written", "storecore_writen"), "did you mean 'storecore_writ"),
        (OBSERVER.replace("@hookimpl", ""), "storecore_written is not marked with @storecore.hook"),
        (OBSERVER.replace("def ", "async def "), "is async, and nothing awaits it"),
        (BACKEND.replace("return BackendSpec", "return dict"), "to return a BackendSpec, got dict"),
        (BACKEND.replace("return ", "1 / 0\n    return "), "its storecore_backend raised ZeroDiv"),
        (BACKEND.replace('"desk"', "'Duck DB'"), "the name of its spec to be .* got 'Duck DB'"),
        (BACKEND.replace('"desk"', '"memory"'), "there is a backend 'memory' already"),
    ],
)
def test_a_file_that_is_no_plugin_is_named_with_the_cause(plugin, source, said):
    file = plugin(source)
    with pytest.raises(storecore.BackendLoadError, match=said) as caught:
        register_file(file)
    assert str(file) in str(caught.value)
    assert "storecore_plugin_desk" not in sys.modules


def test_an_interrupt_while_a_file_is_imported_goes_through(plugin):
    with pytest.raises(KeyboardInterrupt):
        register_file(plugin("raise KeyboardInterrupt"))
    assert "storecore_plugin_desk" not in sys.modules


@pytest.mark.parametrize(
    ("field", "names", "said"),
    [
        ("capabilities", "Bulk", "expected a set of names, got 'Bulk'$"),
        ("promises", "durable", "expected a set of names, got 'durable'$"),
        ("capabilities", None, "raised TypeError: 'NoneType'"),
        ("capabilities", ["Catalg"], r"unknown capability 'Catalg' \(did you mean 'Catalog'\?\)$"),
        ("promises", ["durabel"], r"unknown promise 'durabel' \(did you mean 'durable'\?\)$"),
    ],
)
def test_the_names_that_a_function_of_the_config_gives_are_checked(field, names, said):
    spec = spec_named("fake", **{field: lambda config: names})
    with storecore.register(spec):
        for given in ({"backend": "fake"}, {"backend": "readonly", "store": {"backend": "fake"}}):
            with pytest.raises(storecore.BackendLoadError, match=rf"^backend 'fake' .*{said}"):
                storecore.open_store(given)
