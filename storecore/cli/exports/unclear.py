"""Which further columns a file without types cannot hold: texts that look like other values."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from storecore.bars.extra_values import FIELDS
from storecore.cli.imports.further import Further
from storecore.store.frames.numbers import is_text


class Unclear:
    """Looks at columns of texts as an import will."""

    def __init__(self) -> None:
        self._further = Further()
        self._last: dict[str, pa.Array] = {}
        self._changed: set[str] = set()

    def look(self, bars: pa.Table) -> None:
        """Look at the next bars."""
        texts = {
            name: bars[name].combine_chunks()
            for name in bars.column_names
            if name not in FIELDS and is_text(bars.schema.field(name).type)
        }
        for name, seen in self._further.seen(texts, is_typed=False).items():
            given = pc.drop_null(texts[name])
            kept = pc.drop_null(pc.if_else(pc.equal(seen, ""), None, seen))
            self._last[name] = seen.slice(0, 0)
            self._changed |= set() if kept.equals(given) else {name}

    def names(self) -> list[str]:
        """Return the columns that an import would read as other values."""
        read = self._further.in_types(pa.table(self._last))
        others = {
            name
            for name in self._last
            if name not in read.column_names or not is_text(read.schema.field(name).type)
        }
        return sorted(self._changed | others)
