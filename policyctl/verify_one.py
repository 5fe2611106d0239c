"""One policy file to its result: all that a worker process does. Importing this loads the parser and the solvers."""

from __future__ import annotations

import gc
import hashlib
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from policyctl.answers import StoredAnswers
from policyctl.files import beside, decode
from policyctl.options import Options
from policyctl.results import FileResult
from policyctl.to_views import properties_of, tests_of, view_of_test
from policydsl.automaton import automaton
from policydsl.core.system import Program, System, Test
from policydsl.diagnostics import Diagnostic, Report
from policydsl.interp import start_faults
from policydsl.load import load
from policydsl.run_tests import TestResult, run_test
from policydsl.trace import Trace


@dataclass(frozen=True, slots=True)
class Task:
    """What to do with one file. `command` is `check`, `test` or `verify`.

    `answers` is the directory in which the solvers' answers are kept, or None.
    """

    path: str
    command: str
    options: Options
    answers: Path | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The result, the digests of the files that were read for it, and the certificates by name."""

    result: FileResult
    reads: dict[str, str]
    certificates: dict[str, str]


def get_ready(command: str) -> None:
    """Load and build what every task needs, so that forked workers share it."""
    automaton()
    if command == "verify":
        import verifier.verify  # noqa: F401

        # Terms are many and never lie in circles: looking for circles among them takes a tenth of the time.
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)


def do(task: Task) -> Done:
    """Never raises: a fault of the tool is part of the result, for this file only."""
    reads: dict[str, str] = {}
    certificates: dict[str, str] = {}
    try:
        result = _do(task, _recording(reads), certificates)
    except Exception:  # noqa: BLE001 the boundary of the tool: nothing about this file is known, and that is what is said
        result = FileResult(task.path, crash=traceback.format_exc())
    return Done(result, reads, certificates)


def load_one(path: str, read: Callable[[str], str], report: Report) -> Program | None:
    """The program of `path` itself, without those of the modules it imports; None when it has errors."""
    programs = load([path], read, report)
    return next((p for p in programs if p.path == path), None) if not report.failed else None


def _do(task: Task, read: Callable[[str], str], certificates: dict[str, str]) -> FileResult:
    report = Report()
    program = load_one(task.path, read, report)
    found = report.sorted()
    if program is None:
        return FileResult(task.path, diagnostics=found)
    match task.command:
        case "check":
            return FileResult(task.path, program.system.name, diagnostics=found)
        case "test":
            return FileResult(task.path, program.system.name, tests=tests_of(program))
        case _:
            return _verify(program, found, task.options, certificates, task.answers)


def _verify(
    program: Program,
    found: tuple[Diagnostic, ...],
    options: Options,
    certificates: dict[str, str],
    answers: Path | None,
) -> FileResult:
    system = program.system
    result = FileResult(program.path, system.name, diagnostics=found)
    only = None
    if options.properties:
        wanted = set(options.properties)
        only = frozenset(p.name for p in system.properties if {p.name, p.name.partition("@")[0]} & wanted)
        if not only:
            return result
    # Not above: `check` and `test` do not wait for the solvers to load.
    from policyctl.to_remarks import proved_invariants, remarks_of
    from verifier.rules import analyse
    from verifier.verify import Settings, verify_with_proofs

    settings = Settings(only=only, proofs=options.certificates)
    if options.rlimit is not None:
        settings = settings.within(options.rlimit)
    known = StoredAnswers(answers) if answers else None
    ran = [(test, run_test(system, test)) for test in program.tests]
    try:
        verification, proofs = verify_with_proofs(system, settings, runs=_runs(system, ran), answers=known)
        views = properties_of(system, verification)
        if options.deep:
            from policyctl.to_reasons import with_reasons
            from verifier.solvers import Solvers

            views = with_reasons(views, system, verification, Solvers(settings.rlimit, known))
    finally:
        if known is not None:
            known.close()
    if options.certificates:
        from verifier.certificate import certificate

        text = certificate(system, verification, proofs).model_dump_json(indent=1)
        certificates[beside(program.path, ".certificate.json")] = f"{text}\n"
    return replace(
        result,
        digest=verification.digest,
        properties=views,
        remarks=remarks_of(system, verification, analyse(system, proved_invariants(verification))),
        # Who asks about one property is told about that one.
        tests=() if only is not None else tuple(view_of_test(system, t, r, briefly=True) for t, r in ran),
    )


def _runs(system: System, ran: Iterable[tuple[Test, TestResult]]) -> list[Trace]:
    """The runs of the tests that pass: witnesses that need not be searched for."""
    traces = [r.trace for _, r in ran if r.passed and r.trace is not None]
    # SOUND: a test may start anywhere (`given`); what is reached from a state that is not initial is not reachable.
    return [t for t in traces if not start_faults(system, t)]


def _recording(reads: dict[str, str]) -> Callable[[str], str]:
    """Reading files, noting what was asked for: the entry in the cache depends on all of it, missing files too."""

    def read(path: str) -> str:
        reads[path] = ""
        data = Path(path).read_bytes()
        reads[path] = hashlib.sha256(data).hexdigest()
        try:
            return decode(data)
        except UnicodeDecodeError as error:
            raise OSError(f"{path} is not UTF-8") from error

    return read
