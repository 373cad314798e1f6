"""`import storecore` is cheap, and says the same to a type checker as at run time."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import storecore


@pytest.mark.parametrize("heavy", ["pyarrow", "pluggy", "msgspec", "storecore_file", "acme_slow"])
def test_import_storecore_loads_neither_dependency_nor_plugin(site, heavy):
    site.backend("raise RuntimeError('imported')", name="slow")
    program = (
        f"import sys; sys.path.insert(0, {str(site.folder)!r}); import storecore; "
        f"sys.exit({heavy!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(("name", "module"), storecore._HOME.items())
def test_every_public_name_resolves_to_that_of_its_module(name, module):
    assert getattr(storecore, name) is getattr(import_module(f"storecore.{module}"), name)


def test_a_type_checker_sees_every_public_name_where_it_is_imported_from():
    tree = ast.parse(Path(storecore.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname: node.module.removeprefix("storecore.")
        for node in block.body
        for alias in node.names
        if alias.name == alias.asname
    }
    assert seen == storecore._HOME


def test_a_public_name_is_imported_once():
    storecore.__getattr__("PriceBar")
    assert vars(storecore)["PriceBar"] is storecore.PriceBar


def test_dir_lists_the_public_names_before_they_are_used():
    assert {*storecore.__all__, "__version__"} <= set(dir(storecore))


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'storecore' has no attribute 'open_shop'"):
        storecore.open_shop  # noqa: B018


def test_a_star_import_gives_the_public_names():
    names = {}
    exec("from storecore import *", names)
    assert set(storecore.__all__) <= names.keys()
