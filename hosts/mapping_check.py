"""A mapping beside the policies that it makes requests of: what in it can never be asked, or would always be denied."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

from hosts.mapping import Always, Entry, From, Mapping, MappingError
from hosts.paths import steps
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, StringType
from policydsl.state import well_typed
from runtime.inputs import Shape
from runtime.policies import Policies, Way


def check(mapping: Mapping, policies: Policies, where: str) -> None:
    """Raises `MappingError` with all that does not fit."""
    faults = [
        (f"[[{table}]] {number}", text)
        for table, entries in (("call", mapping.call), ("result", mapping.result))
        for number, entry in enumerate(entries, 1)
        for text in (*_entry(mapping, entry, policies), *_paths(entry, table))
    ]
    faults += [("[[call]]", text) for text in _unasked(mapping)]
    if faults:
        raise MappingError(faults, where)


def _unasked(mapping: Mapping) -> Iterator[str]:
    asked = {name for e in mapping.call if e.action is not None for name in e.of}
    for entry in mapping.call:
        if entry.unasked is not None:
            for name in sorted(asked.intersection(entry.of)):
                yield f"`{name}` is asked about, and said to be unasked as well"


def _paths(entry: Entry, table: str) -> Iterator[str]:
    wanted = [s.at for s in entry.inputs.values() if isinstance(s, From)] + list(entry.where)
    wanted += [entry.each.in_] if entry.each else []
    for path in wanted:
        root = steps(path)[0]
        if root == "result" and table == "call":
            yield f"`{path}`: there is no result yet when a call is asked about"
        if root == "each" and entry.each is None:
            yield f"`{path}`: the entry does not say `each`"


def _entry(mapping: Mapping, entry: Entry, policies: Policies) -> Iterator[str]:
    if entry.action is None:
        return
    way = policies.way(mapping.named(entry.action))
    if way is None:
        several = [name for name in policies.routes if name.endswith(f".{entry.action}")]
        hint = f"; there are {', '.join(several)}: say which `policy` it is" if several and not mapping.policy else ""
        yield f"there is no action `{entry.action}`" + (hint or _hint(entry.action, policies.routes))
        return
    given = {name.partition(".")[0] for name in entry.inputs}
    for name in sorted(way.shape.keys() - given):
        yield f"`{way.action.name}` wants `{name}`, and `inputs` does not say where it comes from"
    for name in sorted(given - way.shape.keys()):
        yield f"`{way.action.name}` has no input `{name}`" + _hint(name, way.shape)
    for name, source in entry.inputs.items():
        if name in way.shape:
            yield from _input(name, source, way)


def _input(name: str, source: From | Always, way: Way) -> Iterator[str]:
    below = way.shape[name]
    if isinstance(source, Always):
        if not isinstance(below, dict) and not well_typed(source.value, below):
            yield f"`{name}` is {_kind(below)}, and not {source.value!r}"
        return
    option = isinstance(below, dict) and below.keys() == {"has", "value"}
    if source.optional and not option:
        yield f"`{name}` is no option, so it cannot be `optional`"
    inner = below["value"] if isinstance(below, dict) and option else below
    number = source.times is not None or source.as_ in ("length", "time")
    if number and not isinstance(inner, IntType):
        yield f"`{name}` is {_kind(inner)}, and would be given a number"
    if not number and source.as_ is not None and (isinstance(inner, dict | IntType | BoolType)):
        yield f"`{name}` is {_kind(inner)}, and would be given a text"
    if source.default is not None and not isinstance(inner, dict) and not well_typed(source.default, inner):
        yield f"`{name}` is {_kind(inner)}, and its default is {source.default!r}"


def _kind(below: Shape) -> str:
    match below:
        case BoolType():
            return "true or false"
        case IntType():
            return "a whole number"
        case StringType():
            return "a text"
        case EnumType():
            return f"one of {', '.join(below.cases)}"
        case EntityType():
            return f"a {below.name}"
        case dict():
            return f"made of {', '.join(below)}"


def _hint(name: str, names: Collection[str]) -> str:
    close = difflib.get_close_matches(name, list(names), 1)
    return f"; did you mean `{close[0]}`?" if close else ""
