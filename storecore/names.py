"""The name laws: what may name a symbol, a strategy or a timeframe (laws N1 to N3)."""

from __future__ import annotations

from storecore.errors import InvalidData, InvalidName, shown


def check_name(name: str, what: str) -> str:
    """Return name as a plain `str`; any text will do but the empty one, NUL and lone surrogates.

    `what` says in an error what the name was for. Raises `InvalidName`.
    """
    if not isinstance(name, str):
        raise InvalidName(f"{what}: expected a str, got {shown(name)} ({type(name).__name__})")
    if not name:
        raise InvalidName(f"{what} is empty: expected at least one character")
    if "\0" in name:
        raise InvalidName(f"{what} {shown(name)} holds a NUL character: no store can keep it")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InvalidName(
            f"{what} {shown(name)} holds a lone surrogate at position {error.start}: "
            "it is no text; decode the bytes that it came from as UTF-8"
        ) from None
    return name if type(name) is str else str.__str__(name)


def check_owner(symbol: str, own: str, what: str) -> None:
    """Refuse a record that names another symbol than the one it is filed under (law N3)."""
    try:
        if own == symbol:
            return
    except (TypeError, ValueError):
        pass  # pandas' NA and arrays are neither equal nor not: another symbol
    raise InvalidData(
        f"{what}.symbol={shown(own)}: expected {shown(symbol)}, the symbol that it is filed under"
    )


def check_strategy(strategy: str, own: str, what: str) -> None:
    """Raise if an order names another strategy than the one it is logged under (law N3)."""
    if own != strategy:
        raise InvalidData(
            f"{what}.strategy_name={shown(own)}: expected {shown(strategy)}, "
            "the strategy that it is logged under"
        )
