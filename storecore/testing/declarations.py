"""The declarations of a module, read from its source: signatures, fields and docstrings.

Optional methods of a collection exist only for a type checker, so that no running program can list
them. That is why the source is read.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Literal, NamedTuple

_WIDTH = 100
Typed = tuple[str, str]
"""The name of a parameter or a field, and its type as it is written."""


class Declaration(NamedTuple):
    """One function, class, field or constant.

    `text` is its signature, or its statement; `typed` are its parameters or fields; `marks` are the
    names of its decorators or base classes, and "optional" for a method that exists only for a type
    checker.
    """

    kind: Literal["function", "class", "name"]
    name: str
    text: str
    doc: str
    typed: tuple[Typed, ...] = ()
    returns: str = ""
    marks: frozenset[str] = frozenset()
    members: tuple[Declaration, ...] = ()


@lru_cache
def declarations(module: str) -> dict[str, Declaration]:
    """Return the classes, functions and documented names of a module, by name, in order."""
    tree = ast.parse(inspect.getsource(import_module(module)))
    return {each.name: each for each in _declared(tree.body)}


def whole(module: str, name: str) -> Declaration:
    """Return a declaration; of `Store`, with the members of the `…Methods` that it is made of."""
    own = declarations(module)[name]
    if not any(map(_is_part, own.marks)):
        return own
    kinds = getattr(import_module(module), name).__mro__
    parts = [
        declarations(each.__module__)[each.__name__] for each in kinds if _is_part(each.__name__)
    ]
    bases = sorted({each for one in (own, *parts) for each in one.marks if not _is_part(each)})
    made = own.text.partition("\n")[2]
    return own._replace(
        text=f"class {name}({', '.join(bases)})\n{made}",
        members=tuple(each for one in (own, *parts) for each in one.members),
    )


def _is_part(name: str) -> bool:
    return name.endswith("Methods")


def about(module: str) -> str:
    """Return what the docstring of a module says after its first line."""
    doc = inspect.getdoc(import_module(module)) or ""
    return doc.partition("\n\n")[2]


def _declared(body: list[ast.stmt], optional: bool = False) -> Iterator[Declaration]:
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef):
            yield _function(node, optional)
        elif isinstance(node, ast.ClassDef):
            yield _class(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield _assignment(node, after)
        elif isinstance(node, ast.If):  # `if TYPE_CHECKING:`
            yield from _declared(node.body, optional=True)


def _function(node: ast.FunctionDef, optional: bool) -> Declaration:
    parameters = list(_parameters(node.args))
    returns = _quoted(node.returns) if node.returns else ""
    marks = {ast.unparse(each).partition("(")[0] for each in node.decorator_list}
    marks |= {"optional"} if optional else set()
    text = _signature(node.name, parameters, returns, is_property="property" in marks)
    doc = ast.get_docstring(node) or ""
    typed = tuple(_typed(node.args))
    return Declaration("function", node.name, text, doc, typed, returns, frozenset(marks))


def _class(node: ast.ClassDef) -> Declaration:
    members = tuple(_declared(node.body))
    fields = [each for each in members if each.kind == "name" and each.name[0] != "_"]
    made = next((each for each in members if each.name in ("__new__", "__init__")), None)
    bases = [each for each in map(ast.unparse, node.bases) if each[0] != "_"]
    lines = [f"class {node.name}({', '.join(bases)})" if bases else f"class {node.name}"]
    if made is None:
        lines += [f"    {each.text}" for each in fields]
    else:
        lines.append(f"{node.name}{made.text.removeprefix(made.name).removesuffix(' -> None')}")
    typed = tuple(pair for each in fields for pair in each.typed) if made is None else made.typed
    doc, text = ast.get_docstring(node) or "", "\n".join(lines)
    return Declaration("class", node.name, text, doc, typed, "", frozenset(bases), members)


def _assignment(node: ast.Assign | ast.AnnAssign, after: ast.stmt | None) -> Declaration:
    """Return a field or a constant; the text that follows it is its docstring."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    name = ast.unparse(target)
    kind = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
    is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    doc = inspect.cleandoc(str(after.value.value)) if is_text else ""  # type: ignore[union-attr]
    text = _quoted(node)
    if len(text) > _WIDTH:
        text = text.partition(" = ")[0]
    return Declaration("name", name, text, doc, ((name, kind),) if kind else ())


def _signature(name: str, parameters: list[str], returns: str, *, is_property: bool) -> str:
    if is_property:
        return f"{name}: {returns}"
    arrow = f" -> {returns}" if returns else ""
    line = f"{name}({', '.join(parameters)}){arrow}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"{name}(", *(f"    {each}," for each in parameters), f"){arrow}"])


def _parameters(args: ast.arguments) -> Iterator[str]:
    defaults = [*[None] * (len(args.args) - len(args.defaults)), *args.defaults]
    for arg, default in zip(args.args, defaults, strict=True):
        if arg.arg not in ("self", "cls"):
            yield _parameter(arg, default)
    if args.vararg:
        yield f"*{_parameter(args.vararg, None)}"
    elif args.kwonlyargs:
        yield "*"
    for arg, given in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        yield _parameter(arg, given)
    if args.kwarg:
        yield f"**{_parameter(args.kwarg, None)}"


def _parameter(arg: ast.arg, default: ast.expr | None) -> str:
    kind = f": {_quoted(arg.annotation)}" if arg.annotation else ""
    return f"{arg.arg}{kind}" + (f" = {_quoted(default)}" if default else "")


def _quoted(node: ast.AST) -> str:
    """Return the source of a node with the quotes of the house."""
    return ast.unparse(node).replace("'", '"')


def _typed(args: ast.arguments) -> Iterator[Typed]:
    for arg in (*args.args, *args.kwonlyargs):
        if arg.annotation is not None:
            yield arg.arg, ast.unparse(arg.annotation)
