"""A declared state variable to how each of its parts is written: the core has its parts, authors think of the whole."""

from __future__ import annotations

from collections.abc import Iterator

from policydsl.check.places import variants
from policydsl.check.scope import StateInfo
from policydsl.check.surface import EntityT, OptionT, RecordT, SetT, SType, domain


def written(info: StateInfo) -> dict[str, str]:
    """For each leaf of `info` a text with `{0}`, `{1}`, ... for the keys that it has in the core.

    The parts of an option are the whole with `.has` and `.value` behind it; those of an optional record are its fields.
    """
    own = sum(isinstance(k, EntityT) for k in info.keys)
    found: dict[str, str] = {}
    for variant in variants(info):
        labels = iter(variant.suffix.split(".")[1:])
        holes = iter(range(own))
        keys = [f"{{{next(holes)}}}" if isinstance(k, EntityT) else next(labels) for k in info.keys]
        whole = f"{info.name}[{', '.join(keys)}]" if keys else info.name
        found |= dict(_parts(info.name + variant.suffix, whole, info.type, own))
    return found


def _parts(name: str, whole: str, type_: SType, keys: int) -> Iterator[tuple[str, str]]:
    match type_:
        case OptionT(value=RecordT() | SetT() as held):
            yield f"{name}.has", f"{whole}.has"
            yield from _parts(f"{name}.value", whole, held, keys)
        case OptionT():
            yield f"{name}.has", f"{whole}.has"
            yield f"{name}.value", f"{whole}.value"
        case RecordT(fields=fields):
            for part, inner in fields:
                yield from _parts(f"{name}.{part}", f"{whole}.{part}", inner, keys)
        case SetT(element=EntityT()):
            yield name, f"{{{keys}}} in {whole}"
        case SetT(element=element):
            for label, _ in domain(element) or ():
                yield f"{name}.{label}", f"{label} in {whole}"
        case _:
            yield name, whole
