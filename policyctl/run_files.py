"""Paths to a `Run`: finds the files, asks the cache, gives what is left to worker processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from policyctl.cache import Cache
from policyctl.files import find, unreadable, write_atomically
from policyctl.in_processes import in_processes
from policyctl.options import Options
from policyctl.results import FileResult
from policyctl.results_json import file_from_json, file_to_json

Progress: TypeAlias = Callable[[int, int, str], None]
"""Told how many files are done, how many there are to do, and which was the last."""


def run_files(
    command: str,
    paths: Sequence[str],
    options: Options,
    cache: Cache,
    jobs: int,
    progress: Progress,
    certificates: Path | None = None,
) -> tuple[FileResult, ...]:
    """The results for all files, in the order of their paths."""
    found, troubles = find(paths)
    results = {d.span.path: FileResult(d.span.path, diagnostics=(d,)) for d in troubles}
    to_do = []
    for path in found:
        reason = unreadable(path)
        if reason is not None:
            results[path] = FileResult(path, diagnostics=(reason,))
            continue
        entry = cache.find(path, options.key(command))
        if entry is None:
            to_do.append(path)
            continue
        results[path] = file_from_json(entry["result"]).as_cached()
        _write_certificates(certificates, entry["certificates"])
    if to_do:
        results |= _work(command, to_do, options, cache, jobs, progress, certificates)
    return tuple(results[path] for path in sorted(results))


def _work(
    command: str,
    to_do: list[str],
    options: Options,
    cache: Cache,
    jobs: int,
    progress: Progress,
    certificates: Path | None,
) -> dict[str, FileResult]:
    # Not above: when all is in the cache, neither parser nor solvers are loaded.
    from policyctl.verify_one import Done, Task, do, get_ready

    def died(task: Task) -> Done:
        return Done(FileResult(task.path, crash="the worker process was ended by the system (out of memory?)"), {}, {})

    longest_first = sorted(to_do, key=lambda path: (-Path(path).stat().st_size, path))
    tasks = [Task(path, command, options, cache.directory) for path in longest_first]
    get_ready(command)
    results = {}
    progress(0, len(tasks), "")
    for task, done in in_processes(do, tasks, jobs, died):
        results[task.path] = done.result
        if not done.result.crash:
            entry = {"result": file_to_json(done.result), "certificates": done.certificates}
            cache.keep(task.path, options.key(command), done.reads, entry)
            _write_certificates(certificates, done.certificates)
        progress(len(results), len(tasks), task.path)
    return results


def _write_certificates(directory: Path | None, certificates: dict[str, str]) -> None:
    if directory is not None:
        for name, text in certificates.items():
            write_atomically(directory / name, text)
