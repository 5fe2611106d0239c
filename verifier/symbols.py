"""Names of any kind to SMT-LIB symbols, one to one."""

from __future__ import annotations

from functools import lru_cache

from policydsl.core.types import EntityType


@lru_cache(maxsize=1 << 14)
def plain(name: str) -> str:
    """`name` in characters that a quoted symbol may hold: others become `%` and their code point."""
    return "".join(c if c.isascii() and c.isprintable() and c not in "\\|%" else f"%{ord(c):x};" for c in name)


def quote(name: str) -> str:
    """The quoted symbol for `name`."""
    return f"|{plain(name)}|"


def sort_symbol(type: EntityType) -> str:
    """The quoted symbol for a sort of individuals."""
    # Solvers have sorts called `Set`, `Table`, ... and quoting does not make a name another one.
    return quote("_" + type.name)
