"""How far a run is, on a terminal; silence elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import TextIO

from policyctl.run_files import Progress


@contextmanager
def progress_on(stream: TextIO, command: str) -> Iterator[Progress]:
    """A function to call with what is done. The display goes away at the end; errors pass through."""
    if not stream.isatty():
        yield _silence
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Display

    last_file = TextColumn("{task.fields[last]}")
    columns = (TextColumn(command), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), last_file)
    with Display(*columns, console=Console(file=stream), transient=True) as display:
        bar = display.add_task(command, total=None, last="", visible=False)

        def show(done: int, total: int, last: str) -> None:
            display.update(bar, completed=done, total=total, last=PurePath(last).name, visible=True)

        yield show


def _silence(*_: object) -> None:
    return
