"""Backends are found in metadata, loaded by name alone, and no broken one spoils another."""

from __future__ import annotations

import sys

import pytest

from storecore import (
    ApiMismatch,
    BackendInfo,
    BackendLoadError,
    ConfigError,
    DuplicateBackend,
    UnknownBackend,
    backends,
    open_store,
)
from storecore.builtin.memory import MemoryDataStore
from storecore.errors import StorageError
from storecore.plugins import discovery
from storecore.plugins.discovery import described, load_spec
from storecore.plugins.metadata import broken_packages, find
from storecore.plugins.spec import API_VERSION, BACKENDS

IMPL = """
from storecore import hookimpl, BackendSpec
from storecore.builtin.memory import MemoryConfig, MemoryDataStore

spec = dict(name="broken", config=MemoryConfig, open=lambda config: MemoryDataStore())

@hookimpl
def storecore_backend():
    {answer}
"""
NEEDS_REDIS = """
Provides-Extra: redis
Requires-Dist: no-such-redis>=5 ; extra == "redis"
"""
ORIGIN = "backend 'broken' from acme-broken 1.5 (entry point 'acme_broken')"


def answering(answer):
    return IMPL.format(answer=answer)


def status(name):
    (info,) = (info for info in backends() if info.name == name)
    return info.status


@pytest.fixture
def failure(site):
    """Install a broken backend, ask for it, and return the error; `memory` still opens."""

    def fail(source, kind=BackendLoadError, entry_point=None, metadata=""):
        site.backend(source, entry_point=entry_point, metadata=metadata)
        with pytest.raises(kind) as caught:
            load_spec("broken")
        assert isinstance(open_store("memory"), MemoryDataStore)
        return caught.value

    return fail


def test_the_metadata_tell_name_distribution_version_entry_point_and_status(site):
    site.backend("", name="acme")
    assert BackendInfo("acme", "acme-acme", "1.5", "acme_acme", "installed") in backends()


def test_backends_are_sorted_and_those_of_storecore_are_among_them(site):
    site.backend("", name="aaa")
    assert [info.name for info in backends()] == [
        "aaa",
        "cached",
        "file",
        "memory",
        "mirror",
        "postgres",
        "readonly",
        "routed",
    ]


def test_listing_backends_imports_none(site):
    site.backend("raise OSError('imported')")
    assert status("broken") == "installed"
    assert "acme_broken" not in sys.modules


def test_asking_for_a_backend_imports_no_other(site):
    site.backend("raise OSError('imported')")
    load_spec("memory")
    assert "acme_broken" not in sys.modules


def test_a_backend_of_another_package_is_opened_by_its_name(site):
    site.backend(answering("return BackendSpec(**spec, capabilities={'Catalog'})"))
    assert isinstance(open_store("broken"), MemoryDataStore)


def test_a_backend_is_described_for_errors_after_it_was_loaded(site):
    site.backend(answering("return BackendSpec(**spec)"))
    assert described("broken") == ORIGIN


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("memry", r"^no backend 'memry' \(did you mean 'memory'\?\); installed: .*file, memory, "),
        (
            "oracle",
            r"^no backend 'oracle'; installed: .*file, memory, mirror, postgres, readonly, routed$",
        ),
        ("Memory", r"^no backend 'Memory' \(did you mean 'memory'\?\)"),
        ("", r"^no backend ''; installed: "),
    ],
)
def test_an_unknown_backend_is_reported_with_the_nearest_and_what_is_installed(name, message):
    with pytest.raises(UnknownBackend, match=message):
        load_spec(name)


def test_where_nothing_is_installed_the_error_says_so(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(UnknownBackend, match=r"installed: none \(is storecore itself installed"):
        load_spec("memory")


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("raise OSError('no licence')", "its import failed: OSError: no licence"),
        ("def broken(:", "its import failed: SyntaxError: "),
        ("import no_such_module", "its import failed: No module named 'no_such_module'"),
        ("", "expected a hook storecore_backend that returns a BackendSpec, found none"),
        ("def storecore_backend(): pass", "expected a hook storecore_backend that returns"),
        (answering("return None"), "expected a hook storecore_backend that returns"),
        (
            answering("return {}"),
            "expected its storecore_backend to return a BackendSpec, got dict",
        ),
        (answering("raise KeyError('x')"), "its storecore_backend raised KeyError: 'x'"),
        (
            answering("from storecore import ConfigError; raise ConfigError('no home')"),
            "its storecore_backend raised ConfigError: no home",
        ),
        (answering("return BackendSpec()"), "its storecore_backend raised TypeError: Missing"),
        (
            answering("return BackendSpec(**spec)").replace("backend():", "backnd():"),
            "unknown hook 'storecore_backnd' (did you mean 'storecore_backend'?)",
        ),
        (
            answering("return BackendSpec(**spec)").replace("backend():", "backend(config):"),
            "acme_broken.py:7: storecore_backend has no parameter 'config'; it has none",
        ),
        (
            answering("return BackendSpec(**{**spec, 'name': 'other'})"),
            "its spec is named 'other', expected 'broken', its entry point's name",
        ),
        (
            answering("return BackendSpec(**{**spec, 'config': dict})"),
            "expected its spec's config to be a msgspec.Struct class, got <class 'dict'>",
        ),
        (
            answering("return BackendSpec(**{**spec, 'config': MemoryConfig()})"),
            "expected its spec's config to be a msgspec.Struct class, got MemoryConfig()",
        ),
        (
            answering("return BackendSpec(**{**spec, 'open': 'MemoryDataStore'})"),
            "expected its spec's open to be callable, got 'MemoryDataStore'",
        ),
        (
            answering("return BackendSpec(**spec, capabilities=frozenset({'Catalogue'}))"),
            "unknown capability 'Catalogue' (did you mean 'Catalog'?)",
        ),
        (
            answering("return BackendSpec(**spec, capabilities=frozenset({'BarTables', 3}))"),
            "unknown capability '3'",
        ),
        (
            "from msgspec import Struct\nclass Odd(Struct):\n    size: 'Size'\n"
            + answering("return BackendSpec(**{**spec, 'config': Odd})"),
            "the types of its config Odd cannot be read: NameError: name 'Size' is not defined",
        ),
        (
            answering("return BackendSpec(**spec, summary=5)"),
            "expected its spec's summary to be a str, got 5",
        ),
        (
            answering("return BackendSpec(**spec, optional=len)"),
            "expected its spec's optional to be a frozenset, got <built-in function len>",
        ),
        (
            answering("return BackendSpec(**spec, capabilities='Catalog')"),
            "expected its spec's capabilities to be a frozenset, got 'Catalog'",
        ),
        (
            answering("return BackendSpec(**spec, capabilities=None)"),
            "expected its spec's capabilities to be a frozenset, got None",
        ),
    ],
)
def test_a_broken_backend_is_reported_with_its_origin_and_the_cause(failure, source, cause):
    assert str(failure(source)).startswith(f"{ORIGIN}: {cause}")


def test_a_hook_without_its_marker_says_what_to_add(failure):
    error = failure("def storecore_backend(): pass")
    assert str(error).endswith("is it marked with @storecore.hookimpl?")


def test_wrong_arguments_of_a_hook_are_named(failure):
    source = answering("return BackendSpec(**spec)").replace("backend():", "backend(config):")
    assert ":7: storecore_backend has no parameter 'config'; it has none" in str(failure(source))


def test_the_exception_behind_a_failure_is_its_cause(failure):
    assert isinstance(failure("1 / 0").__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("api", "upgrade"),
    [(API_VERSION - 1, "acme-broken"), (API_VERSION + 1, "storecore"), ("'2'", "acme-broken")],
)
def test_another_version_of_the_interface_says_which_side_to_upgrade(failure, api, upgrade):
    error = failure(answering(f"return BackendSpec(**spec, api={api})"), kind=ApiMismatch)
    assert str(error) == (
        f"{ORIGIN}: written for version {str(api).strip(chr(39))} of the plugin interface, "
        f"this storecore has version {API_VERSION}; upgrade {upgrade}"
    )


def test_a_missing_extra_gives_the_pip_command(failure):
    error = failure("import no_such_redis", metadata=NEEDS_REDIS)
    cause = "it needs 'no_such_redis': pip install 'acme-broken[redis]'"
    assert str(error) == f"{ORIGIN}: {cause}"


def test_a_missing_extra_is_known_by_the_entry_point_where_its_module_has_another_name(failure):
    error = failure(
        "import no_such_client", entry_point="acme_broken [redis]", metadata=NEEDS_REDIS
    )
    assert str(error).endswith("it needs 'no_such_client': pip install 'acme-broken[redis]'")


@pytest.mark.parametrize("extra", ["redis", "my-extra"])
def test_a_missing_extra_is_a_status_and_nothing_is_imported_to_know_it(site, extra):
    metadata = f'Requires-Dist: no-such-redis>=5 ; extra == "{extra}"\n'
    site.backend("raise OSError", entry_point=f"acme_broken [{extra}]", metadata=metadata)
    assert status("broken") == f"missing extra: pip install 'acme-broken[{extra}]'"
    assert "acme_broken" not in sys.modules


@pytest.mark.parametrize(
    ("entry_point", "metadata"),
    [
        ("acme_broken", NEEDS_REDIS),
        ("acme_broken [fast]", NEEDS_REDIS),
        ("acme_broken [fast]", "Requires-Dist: MsgSpec>=99; extra == 'fast'\n"),
        ("not a value", NEEDS_REDIS),
    ],
)
def test_nothing_is_missing_where_no_declared_extra_lacks_a_distribution(
    site, entry_point, metadata
):
    site.backend("", entry_point=entry_point, metadata=metadata)
    assert status("broken") == "installed"


@pytest.fixture
def namesakes(site):
    """Two distributions that each provide the backend `twin`."""
    site.install("acme-one", "1.0", backends={"twin": "acme_one"})
    site.install("acme-two", "2.0", backends={"twin": "acme_two"})


@pytest.mark.usefixtures("namesakes")
def test_two_distributions_of_one_name_are_both_reported():
    with pytest.raises(DuplicateBackend) as caught:
        load_spec("twin")
    assert str(caught.value) == (
        "backend 'twin' is provided twice, by acme-one 1.0 (entry point 'acme_one') "
        "and by acme-two 2.0 (entry point 'acme_two'); uninstall one of them"
    )


@pytest.mark.usefixtures("namesakes")
def test_two_distributions_of_one_name_are_a_status_of_both():
    twins = [info for info in backends() if info.name == "twin"]
    assert [(info.distribution, info.status) for info in twins] == [
        ("acme-one", "duplicate: provided by more than one distribution"),
        ("acme-two", "duplicate: provided by more than one distribution"),
    ]


@pytest.mark.usefixtures("namesakes")
def test_two_distributions_of_one_name_spoil_no_other_backend():
    assert isinstance(open_store("memory"), MemoryDataStore)
    assert status("memory") == "installed"


def test_a_namesake_of_a_backend_of_storecore_is_reported_too(site):
    site.install("acme", backends={"memory": "acme"})
    with pytest.raises(DuplicateBackend, match=r"by acme 1\.0 .* and by storecore "):
        open_store("memory")


def test_the_plugins_of_one_group_are_found(site):
    site.install("acme", backends={"acme": "acme"}, plugins={"watch": "acme"})
    assert "watch" not in [plugin.name for plugin in find(BACKENDS)]


def torn(site, name, file, content, **groups):
    """Install a distribution one file of whose metadata is broken; return its folder."""
    info = site.install(f"acme-{name}", **groups)
    (info / file).write_bytes(content)
    return info


LATIN = b"Metadata-Version: 2.1\nName: acme-torn\nVersion: 1\nAuthor: Andr\xe9\n"
TORN = {
    "entry points in Latin-1": ("entry_points.txt", b"[storecore.backends]\n\xff\n"),
    "entry points without a value": ("entry_points.txt", b"[console_scripts]\nno value\n"),
    "metadata in Latin-1": ("METADATA", LATIN),
}


@pytest.mark.parametrize("kind", TORN)
def test_a_distribution_with_broken_metadata_hides_no_other_and_is_reported_once(
    site, caplog, kind
):
    info = torn(site, "torn", *TORN[kind], backends={"torn": "acme_torn"})
    site.backend(answering("return BackendSpec(**spec)"))
    for _ in range(2):
        assert {"broken", "file", "memory"} <= {each.name for each in backends()}
        assert isinstance(open_store("broken"), MemoryDataStore)
    assert "torn" not in {each.name for each in backends()}
    (told,) = caplog.messages
    assert str(info) in told
    assert "is left out: its metadata cannot be read: " in told
    assert told.endswith("; reinstall or uninstall it")


@pytest.mark.parametrize("kind", TORN)
def test_a_distribution_with_broken_metadata_is_listed_with_the_cause(site, kind):
    info = torn(site, "torn", *TORN[kind], plugins={"torn": "acme_torn"})
    (package,) = broken_packages()
    assert str(info) in package.distribution
    assert package.why.startswith("its metadata cannot be read: ")


def test_a_backend_of_a_package_that_is_left_out_is_unknown_with_the_cause(site):
    info = torn(site, "torn", *TORN["metadata in Latin-1"], backends={"torn": "acme_torn"})
    with pytest.raises(
        UnknownBackend, match=r"^no backend 'torn'.*; left out: the package .*Unic"
    ) as e:
        load_spec("torn")
    assert str(info) in str(e.value)


def test_a_distribution_all_of_whose_metadata_are_broken_is_reported_by_its_folder(site):
    info = torn(site, "torn", "METADATA", LATIN)
    (info / "entry_points.txt").write_bytes(b"\xff")
    assert [each.distribution for each in broken_packages()] == [f"the package {info}"]


def test_metadata_in_another_encoding_of_a_package_without_plugins_are_none_of_ours(site, caplog):
    torn(site, "torn", "METADATA", LATIN)
    open_store("memory")
    assert (broken_packages(), caplog.messages) == ([], [])


def test_beside_a_broken_distribution_the_first_of_two_of_one_name_counts(
    site, tmp_path, monkeypatch
):
    site.backend(answering("return BackendSpec(**spec)"))
    behind = tmp_path / "behind"
    behind.mkdir()
    type(site)(behind).backend("", entry_point="elsewhere")
    monkeypatch.setattr(sys, "path", [*sys.path, str(behind)])
    torn(site, "torn", "entry_points.txt", b"\xff")
    assert [each.entry_point for each in backends() if each.name == "broken"] == ["acme_broken"]
    assert isinstance(open_store("broken"), MemoryDataStore)


@pytest.mark.parametrize(
    "raised",
    [
        "SystemExit(3)",
        "GeneratorExit()",
        "MemoryError()",
        "BaseException('no')",
        "Mute()",
        "Leaving()",
        "__import__('asyncio').CancelledError()",
    ],
)
@pytest.mark.parametrize(
    "source",
    [
        "raise {}",
        answering("raise {}"),
        answering("return BackendSpec(**(spec | dict(open=fail)))"),
        answering("return BackendSpec(**spec, capabilities=fail)"),
        answering("return BackendSpec(**spec, promises=fail)"),
    ],
    ids=["import", "hook", "open", "capabilities", "promises"],
)
def test_whatever_a_backend_raises_is_its_own_failure(site, source, raised):
    fail = """
class Mute(Exception):
    def __str__(self): raise OSError

class Leaving(Exception):
    def __str__(self): raise SystemExit

def fail(config):
    raise {}
"""
    site.backend((fail + source).replace("{}", raised))
    with pytest.raises(BackendLoadError) as caught:
        open_store("broken")
    assert str(caught.value).startswith(ORIGIN)
    assert raised.rpartition(".")[2].partition("(")[0] in str(caught.value)
    assert isinstance(open_store("memory"), MemoryDataStore)


@pytest.mark.parametrize(
    "source",
    [
        "raise {}",
        answering("raise {}"),
        "def __dir__(): raise {}",
        "class Mute(Exception):\n    def __str__(self): raise {}\nraise Mute",
        "class Mute(Exception):\n    def __str__(self): raise {}\n"
        + answering("return BackendSpec(**spec, promises=fail)")
        + "def fail(config): raise Mute",
    ],
)
def test_an_interrupt_of_the_user_goes_through(site, source):
    site.backend(source.replace("{}", "KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        open_store("broken")


@pytest.mark.parametrize("field", ["open", "capabilities"])
def test_an_interrupt_while_a_store_opens_goes_through(site, field):
    source = "def fail(config): raise KeyboardInterrupt\n" + answering(
        f"return BackendSpec(**(spec | dict({field}=fail)))"
    )
    site.backend(source)
    with pytest.raises(KeyboardInterrupt):
        open_store("broken")


@pytest.mark.parametrize(
    ("raised", "kind"), [("SystemExit", ConfigError), ("KeyboardInterrupt", KeyboardInterrupt)]
)
def test_a_config_whose_own_check_raises_is_a_config_error_but_for_an_interrupt(site, raised, kind):
    config = f"""
from msgspec import Struct

class Config(Struct):
    def __post_init__(self): raise {raised}
"""
    site.backend(config + answering("return BackendSpec(**(spec | dict(config=Config)))"))
    with pytest.raises(kind):
        open_store("broken")


def test_an_unknown_name_of_a_known_package_is_reported_with_its_command(monkeypatch):
    monkeypatch.setitem(discovery.KNOWN_PACKAGES, "redis", "acme-redis[fast]")
    with pytest.raises(
        UnknownBackend, match=r"^no backend 'redis' \(.*pip install 'acme-redis\[fast\]'\); inst"
    ):
        load_spec("redis")


def test_each_backend_of_storecore_itself_is_known():
    own = {info.name for info in backends() if info.distribution == "storecore"}
    known = discovery.KNOWN_PACKAGES.items()
    assert own == {name for name, package in known if package.partition("[")[0] == "storecore"}


def test_packages_that_cannot_be_read_are_not_called_missing(monkeypatch):
    def refuse(*_, **__):
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("storecore.plugins.discovery.find", lambda group: [])
        patch.setattr("pathlib.Path.open", refuse)
        with pytest.raises(StorageError, match="cannot be read: Too many open files"):
            load_spec("file")
    assert load_spec("file").name == "file"


def test_a_package_whose_file_cannot_be_opened_now_is_not_called_broken(monkeypatch):
    def refuse(*_, **__):
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("storecore.plugins.metadata.entry_points", refuse)
        patch.setattr("pathlib.Path.open", refuse)
        with pytest.raises(StorageError, match="cannot be read: Too many open files"):
            load_spec("file")
