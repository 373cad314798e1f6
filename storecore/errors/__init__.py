"""The errors that storecore raises.

Each is a `StoreError` and also the built-in that a user would catch without knowing storecore: bad
input is a `ValueError`, a failing file an `OSError`, and so on. A message says what happened,
where, what was expected and what to do. It is one printable line without secrets
(`storecore.errors.redaction`).
"""

from __future__ import annotations

import os
from errno import ENOENT

from storecore.errors.redaction import is_clean, plain

_SHOWN = 200


def shown(value: object) -> str:
    """Return the repr of a value for a message, cut if it is long."""
    try:
        text = repr(value)
    except Exception:  # an int of thousands of digits has no repr
        return f"<{type(value).__name__}>"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def text_of(error: BaseException) -> str:
    """Return the text of a foreign error on one line."""
    return " ".join(line.strip() for line in str(error).splitlines() if line.strip())


def type_name(value: object) -> str:
    """Return the name of an option's type for users; subclasses of dict and str have that name."""
    plain_one = next((kind for kind in (dict, str) if isinstance(value, kind)), type(value))
    return plain_one.__name__


def caused_by(error: StoreError, cause: BaseException) -> StoreError:
    """Return an error with its cause, unless the cause would reveal a secret that the error hides.

    Raise it outside the `except` block: inside, Python would keep the handled error as context.
    """
    if is_clean(cause):
        error.__cause__ = cause
    return error


class StoreError(Exception):
    """The base of all errors of storecore and its backends."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(plain(each) if isinstance(each, str) else each for each in args))


class StoreWarning(UserWarning):
    """A warning of bars that are kept as given, but look as if something else was meant."""


class ConfigError(StoreError, ValueError):
    """An unusable configuration. The message names every mistake, its place and the expectation."""


class InvalidName(StoreError, ValueError):
    """A symbol, strategy name or timeframe that is empty or contains NUL or a lone surrogate."""


class InvalidData(StoreError, ValueError):
    """A value that violates a law; the message names row and field. Nothing was written."""


class LookAhead(StoreError, ValueError):
    """A view with `on_future="raise"` was asked for something later than its time.

    The message names the call, its bound and the time of the view (law K2).
    """


class HistoryPruned(StoreError, LookupError):
    """What the store held at that time has been pruned, or was never kept (laws K1 and K3)."""


class NotSerializable(StoreError, TypeError):
    """A state or payload that JSON would change; the message names its path (`$.positions[3]`).

    Also raised if a store is pickled that has its data, a lock or a connection in this process.
    """


class UnknownBackend(StoreError, LookupError):
    """No installed package provides a backend of that name."""


class BackendLoadError(StoreError, ImportError):
    """An installed backend that cannot be used; names its distribution, entry point and cause."""


class DuplicateBackend(BackendLoadError):
    """Two distributions provide a backend of the same name."""


class ApiMismatch(BackendLoadError):
    """A backend was written for another version of storecore's plugin interface."""


class StorageError(StoreError, OSError):
    """The medium failed: disk full, no permission, I/O error. Data stored before is still there.

    `path` is the file, `errno` the code of the operating system; each may be None.
    """

    def __init__(
        self, message: str, path: str | os.PathLike[str] | None = None, errno: int | None = None
    ) -> None:
        super().__init__(message)
        self.path = None if path is None else os.fspath(path)
        self.errno = errno

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[type[StorageError], tuple[str, str | None, int | None]]:
        # Pickling by OSError would drop everything but the message.
        return type(self), (self.args[0], self.path, self.errno)


class CorruptData(StorageError):
    """A stored file was read completely, but its content is not what was written.

    The file is left as it is. A file that could not be read, or that does not fit into memory, is a
    plain `StorageError`.
    """


class NoStore(StorageError, FileNotFoundError):
    """There is no store at this place, which may be misspelled. Nothing was created (law D7)."""

    def __init__(
        self,
        message: str,
        path: str | os.PathLike[str] | None = None,
        errno: int | None = ENOENT,
    ) -> None:
        super().__init__(message, path, errno)


class StateConflict(StoreError, RuntimeError):
    """The stored version is not the one that the writer expected."""


class StoreClosed(StoreError, RuntimeError):
    """The store was used after `close()`."""


class LockTimeout(StoreError, TimeoutError):
    """Another writer held the lock of a series for longer than the store's `lock_timeout`."""
