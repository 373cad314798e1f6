"""A target that takes no data: what a copy would write is counted, not written."""

from __future__ import annotations

from typing import Any

from storecore.store.wrapper import Wrapper


class Trial(Wrapper):
    """A store around the target of a copy: reads are those of the target, writes do nothing."""

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return None
