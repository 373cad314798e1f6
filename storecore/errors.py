"""Every error that storecore raises on purpose.

All are `StoreError`, and each is also the built-in that a user would catch without knowing
storecore: bad input is a `ValueError`, a failing file an `OSError`, and so on. A message says what
happened, where, what was expected and what to do. It is one printable line without secrets: see
`storecore.redaction`.
"""

from __future__ import annotations

import os
from errno import ENOENT

from storecore.redaction import is_clean, plain

_SHOWN = 200


def shown(value: object) -> str:
    """Return what a value looks like in a message: its repr, cut where it would fill the screen."""
    try:
        text = repr(value)
    except Exception:  # an int of thousands of digits has none
        return f"<{type(value).__name__}>"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def text_of(error: BaseException) -> str:
    """Return the text of a foreign error, its lines joined."""
    return " ".join(line.strip() for line in str(error).splitlines() if line.strip())


def type_name(value: object) -> str:
    """Return what a user calls the type of an option: a table or text of our own is a plain one."""
    plain_one = next((kind for kind in (dict, str) if isinstance(value, kind)), type(value))
    return plain_one.__name__


def caused_by(error: StoreError, cause: BaseException) -> StoreError:
    """Return an error with its cause, unless the cause would show a secret that the error hides.

    Raise it outside of the `except` block: Python would keep the handled error as context.
    """
    if is_clean(cause):
        error.__cause__ = cause
    return error


class StoreError(Exception):
    """The base of all errors of storecore and its backends."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(plain(each) if isinstance(each, str) else each for each in args))


class ConfigError(StoreError, ValueError):
    """A configuration that cannot be used; names each place, what was expected, what is near."""


class InvalidName(StoreError, ValueError):
    """A symbol, strategy name or timeframe that no store can keep: empty, NUL or a surrogate."""


class InvalidData(StoreError, ValueError):
    """A value that the laws refuse; names the row and the field. Nothing was written."""


class NotSerializable(StoreError, TypeError):
    """A state or payload that JSON would change; names the path of the value (`$.positions[3]`).

    Also a store that cannot be pickled; the message says why.
    """


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
    """A stored file was read completely and does not have the content that was written.

    The file stays as it is. A file that could not be read, or needs more memory than there is, is a
    plain `StorageError`.
    """


class NoStore(StorageError, FileNotFoundError):
    """There is no store at this place, which may be misspelt. Nothing was created (law D7)."""

    def __init__(
        self,
        message: str,
        path: str | os.PathLike[str] | None = None,
        errno: int | None = ENOENT,
    ) -> None:
        super().__init__(message, path, errno)


class StateConflict(StoreError, RuntimeError):
    """The stored state is not the version that the writer expected to replace."""


class StoreClosed(StoreError, RuntimeError):
    """The store was used after `close()`."""


class LockTimeout(StoreError, TimeoutError):
    """Another writer held the lock of a series for longer than the store's `lock_timeout`."""
