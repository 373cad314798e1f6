"""LAWS.md: the law book as a page, with the tests of the kit that prove each law.

Regenerate it after a change of the law book or of a test's name:

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

This is version {KIT} of the kit. Each report names the version, and `storecore.testing.KIT` has it.
The kit is part of storecore, so to pin a release of storecore is to pin the kit: all releases with
the same first two numbers have the same kit.

| version | release | laws added | capabilities added | what else it asks for |
|---|---|---|---|---|
"""
POLICY = f"""\
**What a new version may do.** It may add laws, tests of a law that exists, and tests of a
capability. So a backend that passed may fail, if it breaks what a law says. The text of a law may
become clearer. A law may ask for more only in a new version of the kit.

**What a new version may not do.** It neither renames nor removes a law or a test, since reports and
`known_failures` refer to them. It asks no older backend for a method, an optional keyword or a
column that was added later: the backend may lack it (laws [P1](#p1) and [P2](#p2)), or refuse it
(law [B6](#b6)), and keeps its level. A new capability is tested only of a backend that declares it.

**Within a version** a test that fails for a correct backend is corrected. It then accepts more than
before, never less.

**How to pin.** In the project of a backend:

```toml
[project.optional-dependencies]
test = ["storecore[testing]~={VERSIONS[int(KIT)].release}"]   # the kit of these releases
```

Run the kit of the newest release in a second job of the CI, which may fail: the package that
`storecore new-backend` writes has both. If you move to a new
version before you have fixed each fault, list the failing tests in `known_failures`, with the
reason. The report counts their laws as not held. If a page names a level, it also names the version
of the kit, as in "sealed, kit 4": a level covers the laws of that version only.
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
