"""Markdown documents to the blocks in them that can be run. Run as a script, it rewrites what their commands print."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path

from policyctl.main import main

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "specs").rglob("*.md")])
ELSEWHERE = frozenset({ROOT / "docs" / "chain.md"})
"""Documents whose sessions need a node: `test_chain_node.py` runs them."""
_FENCE = re.compile(r"^```([\w-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^(?://|#) file: (\S+)\n")
_DIGEST = re.compile(r"\b(?:[0-9a-f]{12}|[0-9a-f]{64})\b")
_SECONDS = re.compile(r"\b\d+\.\d s\b( \(\d+ from cache\))?")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `file` is what its first line calls it, if it does."""

    language: str
    text: str
    line: int
    file: str = ""

    @property
    def commands(self) -> list[str]:
        """The lines that begin with `$`; the lines below each are what it prints."""
        return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]

    @property
    def content(self) -> str:
        """What stands in the file: JSON and tables know no comments."""
        return self.text.partition("\n")[2] if self.file.endswith((".json", ".csv")) else self.text

    def edit(self, directory: Path) -> None:
        """Apply a `diff` block: what is context or taken away stands in the file exactly once."""
        _, target, *lines = self.text.splitlines()
        file = directory / target.removeprefix("+++ ")
        old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
        new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, old
        file.write_text(text.replace(old, new), encoding="utf-8")


def timeless(text: str) -> str:
    """Without what differs from run to run, and from one version of the tool or a solver to the next."""
    return _DIGEST.sub(lambda found: "0" * len(found[0]), _SECONDS.sub("0.0 s", text))


def blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        language, body = match.groups()
        named = _FILE.match(body)
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(language, body, line, named[1] if named else ""))
    return found


def as_run(path: Path, directory: Path) -> str:
    """The document with what its commands really print. Files and edits in it are made in `directory`, in order."""
    (directory / "specs").symlink_to(ROOT / "specs")
    text = path.read_text(encoding="utf-8")
    with contextlib.chdir(directory):
        for block in blocks(path):
            if block.file:
                Path(block.file).write_text(block.content, encoding="utf-8")
            if block.language == "diff":
                block.edit(directory)
            if block.commands:
                session = "\n".join(f"$ {c}\n{printed(c)}" for c in block.commands)
                text = text.replace(f"```{block.language}\n{block.text}```", f"```{block.language}\n{session}```", 1)
    return text


def printed(command: str) -> str:
    """What a `policyctl` command prints, to both streams."""
    program, *arguments = shlex.split(command)
    assert program == "policyctl", command
    screen = io.StringIO()
    with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
        main(arguments)
    return screen.getvalue()


if __name__ == "__main__":
    os.environ.pop("POLICYCTL_CACHE_DIR", None)
    for document in DOCUMENTS:
        if document not in ELSEWHERE and any(b.commands for b in blocks(document)):
            with tempfile.TemporaryDirectory() as place:
                shown, printed_now = document.read_text(encoding="utf-8"), as_run(document, Path(place))
            if timeless(shown) != timeless(printed_now):
                document.write_text(printed_now, encoding="utf-8")
