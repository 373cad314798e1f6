"""The files of a new package, made of the templates beside this module.

The guide for authors shows the same backend: a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from storecore import __version__
from storecore.cli.scaffold.names import Names
from storecore.errors import ConfigError

_FILES = {
    "pyproject.toml": "pyproject.toml",
    "@module@.py": "backend.py",
    "tests/test_laws.py": "test_laws.py",
    "README.md": "README.md",
    "LICENSE": "LICENSE",
    ".github/workflows/test.yml": "test.yml",
    ".gitignore": "gitignore",
}
"""The template of each file."""
_WORD = re.compile(r"@(\w+)@")


def project(names: Names) -> dict[str, str]:
    """Return the text of each file of a package by its path."""
    words = {
        "name": names.name,
        "module": names.module,
        "class": names.stem,
        "kit": __version__,
        "storecore": ".".join(__version__.split(".")[:2]),
    }
    templates = files(__package__) / "template"
    return {
        _filled(path, words): _filled((templates / f"{template}.in").read_text("utf-8"), words)
        for path, template in _FILES.items()
    }


def write_project(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files into a folder that is new, empty or a repository without a file.

    Raises `ConfigError` if the folder has a file or is one: nothing is replaced.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file: give a new or empty folder")
    if folder.is_dir() and any(each.name != ".git" for each in folder.iterdir()):
        raise ConfigError(f"{folder} is not empty: give a new or empty folder")
    made: list[Path] = []
    try:
        for path, text in texts.items():
            _write(folder / path, text, made)
    except BaseException:  # a full disk, Ctrl-C: the command can be run again
        for each in reversed(made):
            each.rmdir() if each.is_dir() else each.unlink()
        raise


def _write(file: Path, text: str, made: list[Path]) -> None:
    """Write a new file; add it and the new folders above it to those that were made."""
    for parent in reversed(file.parents):
        if not parent.exists():
            parent.mkdir()
            made.append(parent)
    try:
        with file.open("x", encoding="utf-8") as new:
            made.append(file)
            new.write(text)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error


def _filled(template: str, words: Mapping[str, str]) -> str:
    return _WORD.sub(lambda word: words[word[1]], template)
