"""Markdown documents to the blocks in them that can be run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "specs").rglob("*.md")])
_FENCE = re.compile(r"^```([\w-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^// file: (\S+)\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `file` is what its first line calls it, if it does."""

    language: str
    text: str
    line: int
    file: str = ""

    @property
    def commands(self) -> list[tuple[str, str]]:
        """The lines that begin with `$`, each with the output that is shown below it."""
        found: list[tuple[str, str]] = []
        for line in self.text.splitlines(keepends=True):
            if line.startswith("$ "):
                found.append((line[2:].rstrip("\n"), ""))
            elif found:
                command, output = found[-1]
                found[-1] = (command, output + line)
        return found

    def edit(self, directory: Path) -> None:
        """Apply a `diff` block: what is context or taken away stands in the file exactly once."""
        _, target, *lines = self.text.splitlines()
        file = directory / target.removeprefix("+++ ")
        old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
        new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, old
        file.write_text(text.replace(old, new), encoding="utf-8")


def blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        language, body = match.groups()
        named = _FILE.match(body)
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(language, body, line, named[1] if named else ""))
    return found
