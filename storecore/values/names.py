"""The name laws: valid names of symbols, strategies and timeframes (laws N1 to N3)."""

from __future__ import annotations

from storecore.errors import InvalidData, InvalidName, shown


def check_name(name: str, what: str) -> str:
    """Return a name as a plain `str`: any text that is not empty, without NUL and lone surrogates.

    `what` names the argument in an error. Raises `InvalidName`.
    """
    if not isinstance(name, str):
        raise InvalidName(f"{what}: expected a str, got {shown(name)} ({type(name).__name__})")
    if not name:
        raise InvalidName(f"{what} is empty: expected at least one character")
    if "\0" in name:
        raise InvalidName(f"{what} {shown(name)} contains a NUL character, which no store can keep")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InvalidName(
            f"{what} {shown(name)} contains a lone surrogate at position {error.start}, "
            "which is not text; decode the original bytes as UTF-8"
        ) from None
    return name if type(name) is str else str.__str__(name)


def checked_prefix(prefix: str) -> str:
    """Return the beginning of a name, which may be empty. Raises `InvalidData` if it is no str."""
    if not isinstance(prefix, str):
        raise InvalidData(f"prefix={shown(prefix)}: expected a str, got {type(prefix).__name__}")
    return prefix


def check_owner(symbol: str, own: str, what: str) -> None:
    """Raise `InvalidData` if a record names another symbol than it is filed under (law N3)."""
    try:
        if own == symbol:
            return
    except (TypeError, ValueError):
        pass  # pandas' NA and arrays have no equality: treated as another symbol
    raise InvalidData(
        f"{what}.symbol={shown(own)}: expected {shown(symbol)}, the symbol under which it is filed"
    )


def check_rename(old: str, new: str, *, has_old: bool, has_new: bool) -> None:
    """Raise `InvalidData` if a symbol cannot be renamed: it has no data, or the new name has some.

    A backend calls it within the transaction that renames.
    """
    if not has_old:
        raise InvalidData(f"rename_symbol: {shown(old)} has no bars, fundamentals or events")
    if has_new:
        raise InvalidData(
            f"rename_symbol: {shown(new)} has data already, and two symbols are never merged; "
            "delete its data first, or choose another name"
        )


def check_strategy(strategy: str, own: str, what: str) -> None:
    """Raise `InvalidData` if an order names another strategy than it is logged under (law N3)."""
    if own != strategy:
        raise InvalidData(
            f"{what}.strategy_name={shown(own)}: expected {shown(strategy)}, "
            "the strategy under which it is logged"
        )
