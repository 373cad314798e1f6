"""The file backend: bars in Parquet, documents in JSON, logs in JSONL, in a folder of files.

    from storecore_file import FileDataStore
    store = FileDataStore(base_path="data")

`FileDataStore` is imported when it is first used: only then is pyarrow loaded.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would have to be imported, the slowest part of all this
if TYPE_CHECKING:
    from typing import Any

    from storecore_file.store import FileDataStore as FileDataStore

__all__ = ["FileDataStore"]


def __getattr__(name: str) -> Any:
    """Import the store when it is first used."""
    if name != "FileDataStore":
        raise AttributeError(f"module 'storecore_file' has no attribute {name!r}")
    from storecore_file.store import FileDataStore

    return FileDataStore
