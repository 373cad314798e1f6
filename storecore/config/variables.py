"""`${NAME}` and `${NAME:-default}` in the text of an option, replaced from the environment.

The value of a variable is not expanded again. In any text `$${` is a literal `${`. In a path `$$`
is a dollar, and `$NAME` without braces is an error, since it would create a folder of that name. In
other text a dollar is literal, since passwords contain dollars.
"""

from __future__ import annotations

import os
import re

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_BRACES = r"\$\{([^}]*)\}|\$\{"
_IN_TEXT = re.compile(rf"\$\$(?=\{{)|{_BRACES}")
_IN_PATH = re.compile(rf"\$\$|{_BRACES}|\$({_NAME})")
_VARIABLE = re.compile(rf"({_NAME})(?::-(.*))?", re.S)
_FORMS = 'expected ${NAME} or ${NAME:-default}; a literal "${" is written "$${"'


class Expanded(str):
    """A text with its variables replaced; also its form as a path, or the error if it has none."""

    as_path: str
    wrong_as_path: str

    @classmethod
    def of(cls, text: str) -> Expanded:
        """Return a text with its variables replaced. Raises `ValueError`, without the text."""
        made = cls(expanded(text))
        made.as_path, made.wrong_as_path = "", ""
        try:
            made.as_path = expanded(text, path=True)
        except ValueError as error:
            made.wrong_as_path = str(error)
        return made


def path_text(given: str) -> str:
    """Return a text that is used as a path. Raises `ValueError`."""
    if not isinstance(given, Expanded):
        return expanded(given, path=True)
    if given.wrong_as_path:
        raise ValueError(given.wrong_as_path)
    return given.as_path


def expanded(text: str, *, path: bool = False) -> str:
    """Return a text with its variables replaced. Raises `ValueError` that does not repeat it."""

    def replaced(match: re.Match[str]) -> str:
        found = match[0]
        if found == "$$":
            return "$"
        if path and match[2]:
            raise ValueError(
                f"{found} in a path: write ${{{match[2]}}} for the variable, $${match[2]} for a "
                "dollar"
            )
        if match[1] is None:
            raise ValueError(f"it has a ${{ that is not closed; {_FORMS}")
        return _value(match[1], path)

    return (_IN_PATH if path else _IN_TEXT).sub(replaced, text)


def _value(inside: str, path: bool) -> str:
    """Return the value for the inside of `${…}`."""
    variable = _VARIABLE.fullmatch(inside)
    if variable is None:
        raise ValueError(f"the text between ${{ and }} is not the name of a variable; {_FORMS}")
    name, default = variable.groups()
    value = os.environ.get(name)
    if default is not None:
        return value or expanded(default, path=path)
    if value is None:
        raise ValueError(
            f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
        )
    return value
