"""`storecore.laws` gives a backend's author what the memory backend keeps the laws with."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from storecore import laws, memory, memory_maintenance, memory_transfer

ELSEWHERE = {
    f"storecore.{name}"
    for name in ("reports", "hooks", "models", "errors", "memory_maintenance", "memory_transfer")
}


@pytest.mark.parametrize("name", laws.__all__)
def test_every_name_is_there_and_says_what_it_does(name):
    value = getattr(laws, name)
    assert not (inspect.isroutine(value) or inspect.isclass(value)) or value.__doc__


@pytest.mark.parametrize("module", [memory, memory_transfer, memory_maintenance])
def test_all_that_keeps_the_laws_of_the_memory_backend_is_there(module):
    tree = ast.parse(Path(module.__file__).read_text())
    used = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("storecore.")
        for alias in node.names
        if node.module not in ELSEWHERE
    }
    assert used <= set(laws.__all__)
