"""Every error that storecore raises on purpose.

All are `StoreError`, and each is also the built-in that a user would catch without knowing
storecore: bad input is a `ValueError`, trouble with a file an `OSError`, and so on. A message says
what happened, where, what was expected and what to do.
"""

from __future__ import annotations

import os

_SHOWN = 200


def shown(value: object) -> str:
    """Return what a value looks like in a message: its repr, cut where it would fill the screen."""
    try:
        text = repr(value)
    except Exception:  # an int of thousands of digits has none
        return f"<{type(value).__name__}>"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class StoreError(Exception):
    """The base of all errors of storecore and its backends."""


class ConfigError(StoreError, ValueError):
    """A configuration that cannot be used; names each place, what was expected, what is near."""


class InvalidName(StoreError, ValueError):
    """A symbol, strategy name or timeframe that no store can keep: empty, NUL or a surrogate."""


class InvalidData(StoreError, ValueError):
    """A value that the laws refuse; names the row and the field. Nothing was written."""


class NotSerializable(StoreError, TypeError):
    """A state or payload that JSON would change; names the path of the value (`$.positions[3]`)."""


class UnknownBackend(StoreError, LookupError):
    """No installed package provides a backend of that name."""


class BackendLoadError(StoreError, ImportError):
    """A backend is installed but cannot be used; names its distribution, entry point and cause."""


class DuplicateBackend(BackendLoadError):
    """Two distributions provide a backend of the same name."""


class ApiMismatch(BackendLoadError):
    """A backend was written for another version of storecore's plugin interface."""


class StorageError(StoreError, OSError):
    """The medium failed: disk full, no permission, I/O error. What was stored before still is.

    `path` is the file, `errno` the operating system's code where there is one.
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
        # OSError's own pickling drops everything but the message.
        return type(self), (self.args[0], self.path, self.errno)


class CorruptData(StorageError):
    """A stored file was read completely and is not what was written there; it is left as it is.

    A file that could not be read, or that there was no memory for, is a plain `StorageError`.
    """


class StateConflict(StoreError, RuntimeError):
    """The stored state is not the version that the writer expected to replace."""


class StoreClosed(StoreError, RuntimeError):
    """The store was used after `close()`."""


class LockTimeout(StoreError, TimeoutError):
    """Another writer held the lock of a series for longer than the store's `lock_timeout`."""
