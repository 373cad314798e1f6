"""Every error is a StoreError, and the built-in that a user would catch."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path

import pytest

from storecore import errors
from storecore.errors import CorruptData, StorageError, StoreError, shown

BUILT_INS = {
    "ConfigError": ValueError,
    "InvalidName": ValueError,
    "InvalidData": ValueError,
    "LookAhead": ValueError,
    "HistoryPruned": LookupError,
    "NotSerializable": TypeError,
    "UnknownBackend": LookupError,
    "BackendLoadError": ImportError,
    "DuplicateBackend": ImportError,
    "ApiMismatch": ImportError,
    "StorageError": OSError,
    "CorruptData": OSError,
    "NoStore": FileNotFoundError,
    "StateConflict": RuntimeError,
    "StoreClosed": RuntimeError,
    "LockTimeout": TimeoutError,
}
KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and kind is not StoreError and not issubclass(kind, Warning)
}


@pytest.mark.parametrize("name", sorted(BUILT_INS.keys() | KINDS.keys()))
def test_each_is_a_store_error_and_a_built_in(name):
    assert issubclass(KINDS[name], StoreError)
    assert issubclass(KINDS[name], BUILT_INS[name])


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_each_says_its_message_and_pickles(kind):
    copy = pickle.loads(pickle.dumps(kind("disk full")))
    assert (type(copy), str(copy)) == (kind, "disk full")


@pytest.mark.parametrize("kind", [StorageError, CorruptData])
@pytest.mark.parametrize("path", [Path("a.parquet"), "a.parquet"])
def test_a_storage_error_keeps_message_path_and_errno_when_pickled(kind, path):
    error = pickle.loads(pickle.dumps(kind("a.parquet: disk full", path, errno.ENOSPC)))
    assert (str(error), error.path, error.errno) == (
        "a.parquet: disk full",
        "a.parquet",
        errno.ENOSPC,
    )


def test_a_storage_error_may_have_neither_path_nor_errno():
    error = StorageError("no space")
    assert (error.path, error.errno) == (None, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        ("x" * 1000, "'" + "x" * 199 + "…"),
        pytest.param(10**5000, "<int>", id="no repr"),
    ],
)
def test_a_message_shows_any_value_briefly(value, text):
    assert shown(value) == text
