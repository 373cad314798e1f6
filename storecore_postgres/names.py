"""Names that fit into an index of the database."""

from __future__ import annotations

from storecore.errors import InvalidName

_LONGEST = 1_300  # bytes; two names and a date must fit into an index entry


def checked_length(name: str, what: str) -> str:
    """Return a name that fits into an index. Raises `InvalidName` for a longer one."""
    if len(name) * 4 > _LONGEST and len(name.encode()) > _LONGEST:
        raise InvalidName(
            f"{what}={name[:50]!r}…: {len(name.encode()):,} bytes; a database keeps names of at "
            f"most {_LONGEST:,} bytes in UTF-8; choose a shorter one"
        )
    return name
