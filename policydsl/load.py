"""Files to core programs: each `.policy` file is parsed with what it imports, checked and lowered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from policydsl import syntax as s
from policydsl.check.lower import lower
from policydsl.core.system import Program
from policydsl.diagnostics import Report, Severity
from policydsl.from_text import parse

MENDED = frozenset({"E006", "E007", "E009", "E011"})
"""Errors of which one knows what was meant: the rest of the file is checked as if it had been written."""


@dataclass(slots=True)
class _Files:
    """What has been read so far; None for what cannot be read or parsed."""

    read: Callable[[str], str]
    report: Report
    texts: dict[str, str] = field(default_factory=dict)
    modules: dict[str, s.Module | None] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)

    def module(self, path: str) -> s.Module | None:
        if path not in self.modules:
            own = Report()
            if path not in self.texts:
                self.texts[path] = self.read(path)
            parsed = parse(path, self.texts[path], own)
            self.report.found += [d for d in own.found if d not in self.report.found]
            wrong = {d.code for d in own.found if d.severity is Severity.ERROR}
            self.modules[path] = parsed if wrong <= MENDED else None
            if wrong:
                self.wrong.add(path)
        return self.modules[path]


def load(paths: Sequence[str], read: Callable[[str], str], report: Report) -> list[Program]:
    """The programs of the files `paths`, without those that have errors.

    `read` gives the text of a file or raises `OSError`, which passes through for the files of `paths` themselves.
    """
    files = _Files(read, report)
    programs: list[Program] = []
    for path in paths:
        module = files.module(path)
        if module is None:
            continue
        imports = _imports(module, files)
        before = len(report.found)
        program = None if imports is None else lower(module, imports, report, files.texts)
        if path in files.wrong:
            # What looks superfluous may be so because of the error.
            report.found[before:] = [d for d in report.found[before:] if d.severity is Severity.ERROR]
        read_whole = files.wrong.isdisjoint({path, *(m.path for m in imports or ())})
        if program is not None and read_whole:
            programs.append(program)
    return programs


def _imports(module: s.Module, files: _Files) -> tuple[s.Module, ...] | None:
    """All modules that `module` depends on, each after those it depends on itself; None after an error."""
    found: dict[str, s.Module] = {}
    sound = True

    def visit(current: s.Module, inside: tuple[str, ...]) -> None:
        nonlocal sound
        for decl in current.declarations:
            if not isinstance(decl, s.Import):
                continue
            path = _find(decl, current, files)
            if path is None:
                sound = False
            elif path in inside:
                way = " -> ".join(PurePath(p).stem for p in (*inside[inside.index(path) :], path))
                text = f"the import of `{decl.module}` goes in a circle: {way}"
                files.report.error("E602", text, decl.span, help="move what both need into a module of its own")
                sound = False
            elif path not in found:
                other = files.module(path)
                if other is None:
                    sound = False
                else:
                    visit(other, (*inside, path))
                    found[path] = other

    visit(module, (module.path,))
    return tuple(found.values()) if sound else None


def _find(decl: s.Import, module: s.Module, files: _Files) -> str | None:
    """The file of an import: beside the importing file, or below the folder that its own module name starts from."""
    parts = decl.module.split(".")
    here = PurePath(module.path).parent
    root = here
    for _ in (module.name or "").split(".")[:-1]:
        root = root.parent
    candidates = dict.fromkeys(
        str(p) for p in (here / f"{parts[-1]}.policy", root.joinpath(*parts[:-1]) / f"{parts[-1]}.policy")
    )
    for path in candidates:
        if path in files.modules:
            return path
        try:
            files.texts[path] = files.read(path)
        except (OSError, KeyError):
            continue
        return path
    text = f"there is no module `{decl.module}`"
    tried = " or ".join(f"`{p}`" for p in candidates)
    files.report.error("E601", text, decl.span, help=f"it should be {tried}")
    return None
