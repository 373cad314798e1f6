"""The README of the metadata: on PyPI no file is beside it, so its links get addresses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE = re.compile(r"\]\((?!https?:|#)")


class Readme(MetadataHookInterface):
    """Adds the field `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the text of README.md, with the address of the repository before relative links."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        pages = f"]({metadata['urls']['Source']}/blob/main/"
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": _RELATIVE.sub(lambda _: pages, text),
        }
