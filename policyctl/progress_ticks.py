"""How far long work is, and how long it will still take, on a terminal; silence elsewhere. Ctrl-C asks it to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

Show = Callable[[int, int], bool]
"""Is told what is done of how much, and answers whether to go on."""


@contextmanager
def ticking_on(stream: TextIO, what: str, unit: str) -> Iterator[Show]:
    """A function to call with what is done. It says no after the first Ctrl-C; the second one interrupts as ever."""
    with _interrupt() as interrupted:
        if not stream.isatty():
            yield lambda _done, _total: not interrupted.is_set()
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Left

        columns = (
            TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeElapsedColumn(),
            TextColumn("left"), Left(),
        )  # fmt: skip
        with Progress(*columns, console=Console(file=stream), transient=True) as display:
            bar = display.add_task(what, total=None)

            def show(done: int, total: int) -> bool:
                display.update(bar, completed=done, total=total)
                return not interrupted.is_set()

            yield show


@contextmanager
def _interrupt() -> Iterator[threading.Event]:
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before: Any = signal.getsignal(signal.SIGINT)

    def note(_number: int, _frame: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
