"""One plugin: what its metadata tell, and why it cannot be loaded where it cannot."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from storecore.plugins.loader import PluginError, load_plugin
from storecore.plugins.metadata import Plugin, find
from storecore.plugins.spec import BACKENDS

EXTRAS = """
Provides-Extra: redis
Provides-Extra: my-extra
Requires-Dist: msgspec>=0.19
Requires-Dist: hiredis[fast]>=2; extra == "redis"
Requires-Dist: Py.YAML; python_version > "3" and extra == 'my-extra'
"""


@pytest.fixture
def install(site):
    """Install a distribution with one backend `acme` and return its plugin."""

    def make(source="", entry_point="acme_acme", metadata=""):
        site.backend(source, name="acme", entry_point=entry_point, metadata=metadata)
        (plugin,) = (each for each in find(BACKENDS) if each.name == "acme")
        return plugin

    return make


def test_a_plugin_is_described_by_name_distribution_version_and_entry_point(install):
    assert install().described == "backend 'acme' from acme-acme 1.5 (entry point 'acme_acme')"


def test_an_entry_point_made_by_hand_has_no_distribution():
    plugin = Plugin.of(EntryPoint("watch", "watch", "storecore.plugins"))
    assert plugin.described == "plugin 'watch' from unknown unknown (entry point 'watch')"


def test_what_a_broken_uninstall_left_behind_has_no_distribution(site):
    (site.install("acme", backends={"acme": "acme"}) / "METADATA").unlink()
    (plugin,) = (each for each in find(BACKENDS) if each.name == "acme")
    assert (plugin.distribution, plugin.version) == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("entry_point", "extras"),
    [
        ("acme", []),
        ("acme:plugin", []),
        ("acme [redis]", ["redis"]),
        ("acme:plugin[my-extra, redis]", ["my-extra", "redis"]),
        ("acme []", []),
        ("not a value", []),
    ],
)
def test_the_extras_of_an_entry_point(install, entry_point, extras):
    assert install(entry_point=entry_point).extras == extras


@pytest.mark.parametrize(
    ("extra", "names"),
    [("redis", ["hiredis"]), ("my-extra", ["Py.YAML"]), ("My_Extra", ["Py.YAML"]), ("no", [])],
)
def test_the_requirements_of_an_extra(install, extra, names):
    assert install(metadata=EXTRAS).requirements(extra) == names


@pytest.mark.parametrize("metadata", ["", EXTRAS])
def test_without_requirements_an_extra_requires_nothing(install, metadata):
    assert install(metadata=metadata).requirements("other") == []


def test_an_entry_point_made_by_hand_requires_nothing():
    assert Plugin.of(EntryPoint("watch", "watch", "storecore.plugins")).requirements("redis") == []


@pytest.mark.parametrize(
    ("entry_point", "module", "extra"),
    [
        ("acme_acme", "hiredis", "redis"),
        ("acme_acme", "hiredis.asyncio", "redis"),
        ("acme_acme", "py_yaml", "my-extra"),
        ("acme_acme", "msgspec", None),
        ("acme_acme", "somewhere", None),
        ("acme_acme [redis]", "redis_client", "redis"),
        ("acme_acme [redis]", "acme_acme", None),
        ("acme_acme.sub [redis]", "acme_acme.sub", None),
    ],
)
def test_the_extra_that_explains_a_missing_module(install, entry_point, module, extra):
    assert install(entry_point=entry_point, metadata=EXTRAS).extra_for(module) == extra


@pytest.mark.parametrize("extra", ["all", "redis"])
def test_of_extras_that_bring_a_module_the_one_of_the_entry_point_is_named(install, extra):
    more = 'Requires-Dist: hiredis; extra == "all"' + EXTRAS
    plugin = install(entry_point=f"acme_acme [{extra}]", metadata=more)
    assert plugin.extra_for("hiredis") == extra


def test_a_plugin_is_alone_in_its_manager(install):
    manager = load_plugin(install())
    assert [name for name, _ in manager.list_name_plugin()] == ["acme"]


def test_an_object_of_a_module_may_be_the_plugin(install):
    source = """
    from storecore import hookimpl

    class Plugin:
        @hookimpl
        def storecore_backend(self):
            return "spec"

    plugin = Plugin()
    """
    manager = load_plugin(install(source, "acme_acme:plugin"))
    assert manager.hook.storecore_backend() == ["spec"]


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("raise OSError('no licence')", "its import failed: OSError: no licence"),
        ("raise SystemExit('no licence')", "its import failed: SystemExit: no licence"),
        ("def broken(:", "its import failed: SyntaxError: "),
        ("import no_such_module", "its import failed: No module named 'no_such_module'"),
        ("import hiredis", "it needs 'hiredis': pip install 'acme-acme[redis]'"),
        (
            "raise ModuleNotFoundError('no client')",
            "its import failed: no client",
        ),
        (
            "from storecore import hookimpl\n@hookimpl\ndef storecore_backnd(): pass",
            "unknown hook 'storecore_backnd' (did you mean 'storecore_backend'?)",
        ),
        (
            "from storecore import hookimpl\n@hookimpl\ndef zzz(): pass",
            "unknown hook 'zzz'",
        ),
        (
            "from storecore import hookimpl\n@hookimpl\ndef storecore_backend(config): pass",
            "acme_acme.py:2: storecore_backend has no parameter 'config'; it has none",
        ),
        (
            "def __dir__(): raise ImportError('lazy')",
            "it cannot be registered: ImportError: lazy",
        ),
    ],
)
def test_why_a_plugin_cannot_be_loaded(install, source, cause):
    with pytest.raises(PluginError) as caught:
        load_plugin(install(source, metadata=EXTRAS))
    assert str(caught.value).startswith(cause)


@pytest.mark.parametrize(
    ("entry_point", "cause"),
    [
        ("acme_acme:plugin", "AttributeError: module 'acme_acme' has no attribute 'plugin'"),
        ("not_there", "No module named 'not_there'"),
        ("not_there [redis]", "No module named 'not_there'"),
        ("not a value", "AttributeError: "),
    ],
)
def test_an_entry_point_that_leads_nowhere(install, entry_point, cause):
    with pytest.raises(PluginError) as caught:
        load_plugin(install(entry_point=entry_point))
    assert str(caught.value).startswith(f"its import failed: {cause}")


def test_the_cause_of_a_failure_is_chained(install):
    with pytest.raises(PluginError) as caught:
        load_plugin(install("1 / 0"))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
