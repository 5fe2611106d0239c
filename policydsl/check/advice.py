"""Mistakes about names and types to a line of help: what the author may have meant, or what to write instead."""

from __future__ import annotations

from collections.abc import Iterable

from policydsl.check.scope import Context, suggest
from policydsl.check.surface import BoolT, EntityT, EnumT, NumberT, OptionT, StringT, SType, Unit

_UNITS = {"millisecond": "ms", "second": "s", "minute": "m", "hour": "h", "day": "d", "week": "w"}


def about_name(called: str, known: Iterable[str], ctx: Context, expected: SType | None) -> str:
    """What to do about a name that means nothing where something of type `expected` is wanted."""
    found = suggest(called, known)
    if found:
        return found
    unit = _UNITS.get(called.lower().removesuffix("s"))
    if unit and isinstance(expected, NumberT) and expected.unit is Unit.DURATION:
        return f"a duration is a number and its unit: write `1{unit}`"
    if isinstance(expected, EntityT):
        return f"individuals have names only where they are declared: `entity {expected} {{ {called} }}`"
    if ctx.read is None:
        return f"only constants are known in {ctx.place}"
    return f"the names known in {ctx.place} are its inputs, the state, constants and parameters"


def about_type(found: SType, expected: SType) -> str:
    """How to come by an `expected` where there is a `found`."""
    match found, expected:
        case NumberT(unit=Unit.INT), NumberT(unit=Unit.DURATION):
            return "a duration is written with its unit, like `90s`, `24h` or `7d`"
        case NumberT(), NumberT(unit=Unit.TIME):
            return "a time is `now`, a stored time, or one of them plus a duration; the only number that is one is `0`"
        case OptionT(), BoolT():
            return "write `e has x` to ask whether it holds a value"
        case StringT(), BoolT():
            return "write `true` or `false`"
        case NumberT(), BoolT():
            return "compare it with something, for example `> 0`"
        case StringT(), EnumT(core=enum):
            few = [f"`{case}`" for case in enum.cases[:3]] + (["..."] if len(enum.cases) > 3 else [])
            return f"its cases stand without quotes: {', '.join(few)}"
        case StringT(), EntityT():
            return "the name of an individual stands without quotes"
        case _:
            return ""
