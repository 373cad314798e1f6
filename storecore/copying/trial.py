"""A target that takes no data: what a copy would write is counted, not written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from storecore.store.wrapper import Wrapper
from storecore.values.times import TimeRange

if TYPE_CHECKING:
    from storecore.knowledge.versions import Unreplaced


class Trial(Wrapper):
    """A store around the target of a copy: reads are those of the target, writes do nothing."""

    def unreplaced_bars(self, symbol: str, span: TimeRange, timeframe: str) -> Unreplaced | None:
        """Return what the target returns, None if it has no such method."""
        ask = getattr(self._nested, "unreplaced_bars", None)
        return ask(symbol, span, timeframe) if ask else None

    def restore_unreplaced(self, symbol: str, timeframe: str, given: Unreplaced) -> bool:
        """Return True, as if the bars had been taken in."""
        return True

    def _write(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return None
