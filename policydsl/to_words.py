"""The core and its runs to words: the whole of `expr_words` and `trace_words` that others need."""

from policydsl.expr_words import quoted, value_words, words
from policydsl.start_words import describe_start
from policydsl.times import duration_words
from policydsl.trace_words import describe_cells, describe_change, describe_changes, describe_obligation, describe_step

__all__ = [
    "describe_cells",
    "describe_change",
    "describe_changes",
    "describe_obligation",
    "describe_start",
    "describe_step",
    "duration_words",
    "quoted",
    "value_words",
    "words",
]
