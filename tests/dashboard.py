"""The policies that ship to the table in `specs/README.md`; run as a script, it writes the table there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from policydsl.core.system import Expected, Property, System
from policydsl.diagnostics import Report
from policydsl.load import load

ROOT = Path(__file__).parent.parent
README = ROOT / "specs" / "README.md"
SPECS = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "specs").rglob("*.policy"))
HEAD = ("| policy | what it is about | proved | refuted | unknown |", "|---|---|---:|---:|---:|")


def count(properties: tuple[Property, ...], expected: Expected) -> str:
    return str(sum(p.expected is expected for p in properties) or "")


def row(system: System) -> str:
    about = re.split(r"(?<=[.])\s", " ".join(system.doc.split()))[0]
    name = system.name.replace(".", "/")
    numbers = " | ".join(count(system.properties, expected) for expected in Expected)
    return f"| [{name}]({name}.policy) | {about} | {numbers} |"


def dashboard(systems: Sequence[System]) -> str:
    """The table: a row for each policy, with how many of its properties are expected to be what."""
    return "\n".join((*HEAD, *map(row, systems))) + "\n"


def main() -> None:
    programs = load(SPECS, lambda p: (ROOT / p).read_text(encoding="utf-8"), Report())
    introduction = README.read_text(encoding="utf-8").partition(HEAD[0])[0]
    README.write_text(introduction + dashboard([p.system for p in programs]), encoding="utf-8")


if __name__ == "__main__":
    main()
