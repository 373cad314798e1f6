"""LAWS.md: the law book as a page, with the tests of the kit that prove each law.

Write it anew after a change of the law book or of a test's name:

    python -m storecore.testing.lawpage > storecore/testing/LAWS.md

A test compares the page with what this prints.
"""

from __future__ import annotations

from collections.abc import Iterator

from storecore.protocols import CAPABILITIES
from storecore.testing.kit import KIT, VERSIONS
from storecore.testing.lawbook import BEYOND_THE_KIT, LAWS, Law, proves
from storecore.testing.suite import DataStoreSuite

HEADER = """\
# The laws

Every backend of storecore obeys these laws. The conformance kit, `storecore.testing`, proves each
of them with the tests that are listed below it. A test is named after the laws that it proves.
[BACKENDS.md](../plugins/BACKENDS.md) documents how to run the kit on a backend.

This page is generated from [lawbook.py](lawbook.py). Do not edit it; run

```text
python -m storecore.testing.lawpage > storecore/testing/LAWS.md
```

The first letter of a law says what it is about: **P** the protocol, **N** names, **T** times,
**B** bars, **F** fundamentals, **E** events, **S** states, **A** the audit log, **D** durability,
**K** knowledge, what was known when, **L** the life of a store.
"""
CAPABILITY_HEADER = """\
# Tests of the capabilities

A backend that declares a capability (law [P2](#p2)) is also tested by these.
"""

VERSION_HEADER = f"""\
# Versions of the kit

This is version {KIT} of the kit. Each report names it, and `storecore.testing.KIT` is it. A version
is part of a release of storecore, so to pin a release is to pin the kit.

| version | release | laws added | capabilities added | what else it asks for |
|---|---|---|---|---|
"""
POLICY = """\
**What a new version may do.** It may add laws, tests of a law that exists, and tests of a
capability. So a backend that passed may fail, if it breaks what a law says. The text of a law may
become clearer. What it asks for may grow only with a new version.

**What a new version may not do.** It renames and removes no law and no test, since reports and
`known_failures` refer to them. It asks no older backend for a method, an optional keyword or a
column that was added later: the backend may lack it (laws [P1](#p1) and [P2](#p2)), or refuse it
(law [B6](#b6)), and keeps its level. A new capability is tested only of a backend that declares it.

**Within a version** a test that fails for a right backend is corrected. It then accepts more, never
less.

**How to pin.** In the project of a backend:

```toml
[project.optional-dependencies]
test = ["storecore[testing]~=0.1.0"]   # the kit of these releases
```

Run the kit of the newest release in a second job of the CI that may fail. To move to a new version
before each fault is mended, list the tests that fail in `known_failures`, with the reason. The
level in the report counts them as not held. A page that names a level names the version of the kit
too, as in "sealed, kit 4": it holds for the laws of that version only.
"""


def page() -> str:
    """Return the text of LAWS.md."""
    tests = sorted(name for name in dir(DataStoreSuite) if name.startswith("test_"))
    subjects = {test: proves(test, frozenset(CAPABILITIES)) for test in tests}
    sections = [HEADER]
    for name, law in sorted((LAWS | BEYOND_THE_KIT).items(), key=_in_order):
        proofs = [test for test, proven in subjects.items() if name in proven]
        sections.append("\n".join(_law(name, law, proofs)))
    sections.append(CAPABILITY_HEADER)
    for name in CAPABILITIES:
        proofs = [test for test, proven in subjects.items() if name in proven]
        sections.append("\n".join([f"## {name}", "", *_listed(proofs)]))
    return "\n".join([*sections, VERSION_HEADER + "\n".join(map(_version, VERSIONS)), "", POLICY])


def _version(number: int) -> str:
    release, laws, capabilities, asks = VERSIONS[number]
    links = ", ".join(f"[{each}](#{each.lower()})" for each in laws.split())
    return f"| {number} | {release} | {links} | {', '.join(capabilities.split())} | {asks} |"


def _in_order(item: tuple[str, Law]) -> tuple[int, str]:
    """Sort laws by the order of their letters in the law book, then by number."""
    letters = "".join(dict.fromkeys(name[0] for name in LAWS))
    return letters.index(item[0][0]), item[0]


def _law(name: str, law: Law, tests: list[str]) -> Iterator[str]:
    yield from (f"## {name}", "", law.says, "", f"*Why:* {law.why}", "")
    if name in BEYOND_THE_KIT:
        yield from ("The tests of each backend that keeps files prove this law, not the kit.", "")
    yield from _listed(tests)


def _listed(tests: list[str]) -> Iterator[str]:
    yield from (f"- `{test}`" for test in tests)
    if tests:
        yield ""


if __name__ == "__main__":
    print(page(), end="")
