"""What the pages share: their files, and text that is safe in HTML."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template

_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127), "�")
_DIRECTIONS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F))
_SURROGATES = dict.fromkeys(range(55296, 57344), "�")


def asset(name: str) -> str:
    """Return a file beside this module as text."""
    return files("storecore.charts").joinpath(name).read_text(encoding="utf-8")


def clean(text: str) -> str:
    """Return a text without what a browser refuses or what reorders the text around it.

    NULs and other control characters become replacement characters; marks of direction are left
    out, so that a reason cannot change how the words beside it are read.
    """
    return text.translate({**_CONTROLS, **_DIRECTIONS, **_SURROGATES})


def html(text: object) -> str:
    """Return a value as text that is safe in HTML, between tags and in quoted attributes."""
    return escape(clean(str(text)))


def filled(template: str, **parts: str) -> str:
    """Return a page with its parts, which are HTML already."""
    return Template(asset(template)).substitute(parts)
