"""Results as plain data: what the renderers show, what the cache keeps, and all that a warm run needs to load."""

from __future__ import annotations

from dataclasses import dataclass, replace

from policydsl.diagnostics import Diagnostic, Severity
from policydsl.source import NOWHERE, Span


@dataclass(frozen=True, slots=True)
class StepView:
    """One request of a run, in words: `vote(bob, p1, true)`, the answer and why, the cells that changed, and what else
    must be done. `note` is what somebody expected instead."""

    call: str
    effect: str
    why: str = ""
    changes: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class TraceView:
    """A run in words. `start` is what differs from the declared initial state, parameters included; `record` is the
    same run in the JSON trace format, as `policyctl replay` takes it."""

    start: tuple[str, ...]
    steps: tuple[StepView, ...]
    record: str = ""


@dataclass(frozen=True, slots=True)
class PropertyView:
    """One property with its verdict, in words. `advice` is what its author can do about one that is unknown."""

    name: str
    kind: str
    status: str
    expected: str = "proved"
    scope: str = ""
    how: str = ""
    advice: str = ""
    because: str = ""
    uses: tuple[str, ...] = ()
    lemmas: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    trace: TraceView | None = None
    cti: TraceView | None = None
    cached: bool = False
    doc: str = ""
    span: Span = NOWHERE

    @property
    def as_expected(self) -> bool:
        return self.status == self.expected


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to know beside the verdicts: what never matters, rules that stand in each other's way.

    `certain` when proved, else merely not found. `code` R813 and above are for information.
    """

    code: str
    text: str
    certain: bool = True
    witness: TraceView | None = None
    span: Span = NOWHERE

    @property
    def is_note(self) -> bool:
        return self.code >= "R813"


@dataclass(frozen=True, slots=True)
class TestView:
    """One `test` block that was run, and what did not turn out as it says."""

    name: str
    failures: tuple[Diagnostic, ...] = ()
    trace: TraceView | None = None
    span: Span = NOWHERE

    @property
    def passed(self) -> bool:
        return not self.failures


@dataclass(frozen=True, slots=True)
class FileResult:
    """All that is known about one policy file. `crash` is the text of an exception of the tool itself."""

    path: str
    name: str = ""
    digest: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    properties: tuple[PropertyView, ...] = ()
    remarks: tuple[Remark, ...] = ()
    tests: tuple[TestView, ...] = ()
    crash: str = ""

    @property
    def failed(self) -> bool:
        """Whether the text has errors, so that nothing was asked of it."""
        return any(d.severity is Severity.ERROR for d in self.diagnostics)

    def as_cached(self) -> FileResult:
        return replace(self, properties=tuple(replace(p, cached=True) for p in self.properties))


@dataclass(frozen=True, slots=True)
class Run:
    """One call of the tool over some files, in the order of their paths. `seconds` is wall-clock time."""

    command: str
    files: tuple[FileResult, ...]
    seconds: float = 0.0

    @property
    def properties(self) -> tuple[PropertyView, ...]:
        return tuple(p for f in self.files for p in f.properties)

    @property
    def tests(self) -> tuple[TestView, ...]:
        return tuple(t for f in self.files for t in f.tests)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Of all files, each once: a fault in an imported module shows up in every file that imports it."""
        return tuple(dict.fromkeys(d for f in self.files for d in f.diagnostics))
