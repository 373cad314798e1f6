"""How the files of an import are to be read: by the options and a format."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import NamedTuple


class Form(NamedTuple):
    """How a file is to be read.

    `symbol` is that of all rows, `fallback_symbol` the one of a file that names none. `stem` is
    the name of the file, for hints. With `written`, a time stands for the day that is written in
    it. `names` are those of a file without a header, for each number of columns. `footer` begins
    lines that are not data. Whole prices have `fixed_point` decimals.
    """

    symbol: str | None = None
    zone: tzinfo = UTC
    written: bool = False
    extra: bool = True
    volume: str = "required"
    columns: Mapping[str, str] = {}
    names: tuple[str, ...] = ()
    delimiter: str | None = None
    skip_lines: int = 0
    date_format: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    footer: str = ""
    fixed_point: int = 0
    stem: str = ""
    fallback_symbol: str | None = None
