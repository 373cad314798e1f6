"""The store under test with a recorder beside it, who tells of a failure what was done."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from storecore.errors import StoreError, shown
from storecore.protocols import METHODS

_REMEMBERED = 12


class Call(NamedTuple):
    """One call of a store: what was given, and what came back or was raised."""

    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    answer: Any

    def __str__(self) -> str:
        given = [*map(shown, self.args), *(f"{key}={shown(v)}" for key, v in self.kwargs.items())]
        verb = "raised" if isinstance(self.answer, BaseException) else "gave"
        return f"{self.method}({', '.join(given)})\n    {verb} {shown(self.answer)}"


class Recorder:
    """Passes each call on to a store, the writes to its writer, and remembers the last ones."""

    def __init__(self, store: Any, writer: Any) -> None:
        self._store = store
        self._writer = writer
        self._calls: deque[Call] = deque(maxlen=_REMEMBERED)

    def __getattr__(self, name: str) -> Any:
        is_read = name in METHODS and not METHODS[name].is_write
        target = getattr(self._store if is_read else self._writer, name)

        def recorded(*args: Any, **kwargs: Any) -> Any:
            try:
                answer = target(*args, **kwargs)
            except BaseException as error:
                self._calls.append(Call(name, args, kwargs, error))
                raise
            self._calls.append(Call(name, args, kwargs, answer))
            return answer

        return recorded

    def foreign_error(self, error: BaseException) -> str:
        """Return what to say of an error if the last call raised it and it is none of storecore."""
        last = self._calls[-1] if self._calls else None
        if last is None or last.answer is not error or isinstance(error, StoreError):
            return ""
        return (
            f"{last.method} raised an error that is no StoreError; expected StorageError if the "
            "medium fails, or another error of storecore"
        )

    def forget(self) -> None:
        """Forget the calls so far: a new example begins."""
        self._calls.clear()

    def account(self) -> str:
        """Return the last calls and what came back, in their order."""
        return "\n".join(map(str, self._calls)) or "nothing"
