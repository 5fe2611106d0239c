"""A static audit: the text of a skill goes in, findings with places and two marks come out. Nothing is ever run.

The rules are data (`audit_rules.toml`). Python is read as a syntax tree, so a call is found under whatever name its
module was imported; any other text is searched. What is fetched or handed in at run time no static audit sees.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LONG = 400
"""Lines above which nobody reads a skill."""
FULL = 100


class Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    cwe: int
    weight: Annotated[int, Field(ge=1, le=FULL)]
    why: str
    call: tuple[str, ...] = ()
    text: str = ""


class Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    rule: str
    cwe: int
    line: int
    """From 1."""
    why: str
    weight: int


@dataclass(frozen=True, slots=True)
class Audit:
    """`security` and `quality` are marks from 0 to 100."""

    security: int
    quality: int
    findings: tuple[Finding, ...]


@cache
def rules() -> tuple[Rule, ...]:
    """The rules that ship."""
    text = files("simulator.agents").joinpath("audit_rules.toml").read_text("utf-8")
    return Rules.model_validate(tomllib.loads(text)).rule


@lru_cache(maxsize=1024)
def audit(text: str) -> Audit:
    """What there is to find in one file."""
    tree = _tree(text)
    calls = dict(_calls(tree)) if tree is not None else {}
    found = []
    for rule in rules():
        line = next((calls[c] for c in rule.call if c in calls), 0) or _line(rule.text, text)
        if line:
            found.append(Finding(rule.name, rule.cwe, line, rule.why, rule.weight))
    security = max(0, FULL - sum(f.weight for f in found))
    # What is not safe is not good work either, however neat it is.
    return Audit(security, min(security, _quality(text, tree)), tuple(sorted(found, key=lambda f: f.line)))


def _tree(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _calls(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """The functions that are called, by their full names, and the last line on which they are."""
    names = dict(_imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = _name(node.func, names)
            if name:
                yield name, node.lineno


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _name(node: ast.expr, names: Mapping[str, str]) -> str:
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(value=value, attr=attribute):
            owner = _name(value, names)
            return f"{owner}.{attribute}" if owner else ""
        case _:
            return ""


def _line(pattern: str, text: str) -> int:
    found = re.search(pattern, text, re.IGNORECASE) if pattern else None
    return text.count("\n", 0, found.start()) + 1 if found else 0


def _quality(text: str, tree: ast.Module | None) -> int:
    """Whether people can read and use it: it says what it is for, it is short, it can be parsed."""
    mark = FULL
    if text.count("\n") > LONG:
        mark -= 30
    if tree is None:
        # Another language: a comment at the top has to do.
        return mark - (0 if re.match(r"\s*(#|//|/\*|---)", text) else 30)
    if not ast.get_docstring(tree):
        mark -= 30
    if not any(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) for n in tree.body):
        mark -= 30
    return mark
