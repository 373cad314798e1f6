"""`storecore.laws` gives a backend's author what the memory backend keeps the laws with."""

from __future__ import annotations

import inspect

import pytest

from storecore import laws


@pytest.mark.parametrize("name", laws.__all__)
def test_every_name_is_there_and_says_what_it_does(name):
    value = getattr(laws, name)
    assert not (inspect.isroutine(value) or inspect.isclass(value)) or value.__doc__
