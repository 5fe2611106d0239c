"""The artifact of a contract and its `names.json` to the data of calls: how a system's requests and cells are said.

`policyctl emit solidity` writes the names of its contracts. Those of a contract that was written by hand are written by
hand, and may say more: `arguments` that are no inputs, sorts whose individuals the contract numbers itself when some
action is allowed (`numbered`), variables that it keeps in `seconds`, and getters of structs (`proposals.yesVotes`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from policydsl.core.system import NOW, PRINCIPAL, Action, StateVar, System
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, Scalar, Value
from runtime.evm import EvmError

_TEXT = bytes.fromhex("08c379a0")  # Error(string)
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)


@dataclass(frozen=True, slots=True)
class Names:
    """`functions`, `getters` and `errors` lead from names of the system, and from names of errors, to the contract's.

    `constructor` says what it is given: `{"param": P}`, `{"individual": N, "of": SORT}`, `{"start": VARIABLE}`,
    `{"everybody": SORT}`, a list of these for a struct, or a plain value.
    """

    system: str
    contract: str
    abi: Mapping[tuple[str, str], Mapping[str, Any]]  # by kind and name
    bytecode: bytes
    functions: Mapping[str, str]
    getters: Mapping[str, str]
    errors: Mapping[str, str]
    constructor: tuple[Any, ...] = ()
    arguments: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    numbered: Mapping[str, str] = field(default_factory=dict)
    seconds: frozenset[str] = frozenset()

    def getter(self, var: str) -> tuple[Mapping[str, Any], int]:
        """The function that shows a cell, and which of its results that is."""
        name, _, part = self.getters[var].partition(".")
        found = self.abi["function", name]
        return found, [o["name"] for o in found["outputs"]].index(part) if part else 0


def names_of(names: str, artifact: str) -> Names:
    """From the texts of the two files. Raises `EvmError` where they are not what they should be."""
    try:
        said, made = json.loads(names), json.loads(artifact)
        return Names(
            system=said["system"],
            contract=said["contract"],
            abi={(x["type"], x.get("name", "")): x for x in made["abi"]},
            bytecode=bytes.fromhex(made["bytecode"].removeprefix("0x")),
            functions=dict(said["functions"]),
            getters=dict(said["getters"]),
            errors=said.get("errors") or _notices(made.get("userdoc", {})),
            constructor=tuple(said["constructor"]),
            arguments=said.get("arguments", {}),
            numbered=said.get("numbered", {}),
            seconds=frozenset(said.get("seconds", ())),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise EvmError(f"that is no artifact with its names: {fault!r}") from fault


def check_names(names: Names, system: System) -> None:
    """Raises `EvmError` unless these are names for the requests and cells of `system`."""
    if names.system != system.name:
        raise EvmError(f"{names.contract} is a contract of `{names.system}`, not of `{system.name}`")
    for action in system.actions:
        entry = names.abi.get(("function", names.functions.get(action.name, "")))
        given = names.arguments.get(action.name, [i for i in action.inputs if i.name not in (PRINCIPAL, NOW)])
        if entry is None or len(entry["inputs"]) != len(given):
            raise EvmError(f"{names.contract} has no function for `{action.name}` that takes {len(given)} arguments")
    for name, getter in names.getters.items():
        function, _, part = getter.partition(".")
        entry = names.abi.get(("function", function))
        keys = next((v.keys for v in system.state if v.name == name), None)
        if keys is None or entry is None or len(entry["inputs"]) != len(keys):
            raise EvmError(f"{names.contract} has no function `{function}` that shows `{name}`")
        if part and part not in [o["name"] for o in entry["outputs"]]:
            raise EvmError(f"`{function}` of {names.contract} does not return `{part}`")


def _notices(userdoc: Mapping[str, Any]) -> dict[str, str]:
    """The texts of errors, as their `@notice` has them."""
    return {k.partition("(")[0]: found[0]["notice"] for k, found in userdoc.get("errors", {}).items()}


class People:
    """Which individual is which address, number or fingerprint: nobody is zero, the others count from one."""

    def __init__(self, known: Mapping[EntityType, Sequence[str]], numbered: Mapping[str, str]) -> None:
        self.known: dict[EntityType, dict[str, int]] = {}
        for sort, names in known.items():
            # Whoever has no number yet has one that no count reaches.
            first = 2**64 if sort.name in numbered else 1
            self.known[sort] = {n: first + i if n else 0 for i, n in enumerate(names)}

    def number(self, sort: EntityType, name: str, number: int) -> None:
        self.known[sort][name] = number

    def word(self, sort: EntityType, name: str) -> int:
        if not name:
            return 0
        try:
            return self.known[sort][name]
        except KeyError:
            raise EvmError(f"nobody of sort {sort.name} is called `{name}`") from None

    def name(self, sort: EntityType, word: int) -> str:
        """Empty is nobody. A word that is nobody's is shown as it is."""
        return next((n for n, x in self.known.get(sort, {}).items() if x == word), "" if word == 0 else hex(word))


def address(word: int) -> bytes:
    """Low addresses belong to the machine itself."""
    return (word + (0xB07 << 144)).to_bytes(20, "big") if word else bytes(20)


def call_data(names: Names, people: People, action: Action, inputs: Mapping[str, Value]) -> bytes:
    """The data of the transaction that asks for `action`."""
    function = names.abi["function", names.functions[action.name]]
    given: list[tuple[Scalar | None, Value]] = [
        (i.type, inputs[i.name]) for i in action.inputs if i.name not in (PRINCIPAL, NOW)
    ]
    if action.name in names.arguments:
        given = [(None, x) for x in names.arguments[action.name]]
    kinds = [i["type"] for i in function["inputs"]]
    return selector(function) + _encoded(
        kinds, [_said(people, t, x, k) for (t, x), k in zip(given, kinds, strict=True)]
    )


def read_data(names: Names, people: People, var: StateVar, keys: Sequence[str]) -> bytes:
    """The data of the call that shows a cell."""
    function, _ = names.getter(var.name)
    kinds = [i["type"] for i in function["inputs"]]
    return selector(function) + _encoded(
        kinds, [_said(people, t, x, k) for t, x, k in zip(var.keys, keys, kinds, strict=True)]
    )


def shown(names: Names, people: People, var: StateVar, output: bytes) -> Value:
    """The value of a cell in what that call returns."""
    from eth_abi.abi import decode

    function, place = names.getter(var.name)
    found = decode([o["type"] for o in function["outputs"]], output)[place]
    return value_of(people, var.type, found * 1000 if var.name in names.seconds else found)


def value_of(people: People, type: Scalar, found: Any) -> Value:
    """A decoded value of the ABI in the words of the system."""
    match type:
        case EntityType():
            return people.name(type, _unaddressed(found))
        case EnumType():
            return str(type.cases[found])
        case BoolType() | IntType():
            value: Value = found
            return value
    raise EvmError(f"contracts keep no {type}")


def construction(
    names: Names, people: People, params: Mapping[str, Value], starts: Mapping[str, Sequence[str]]
) -> bytes:
    """The code that makes the contract, with what its constructor is given."""

    def given(said: Any, kind: Mapping[str, Any]) -> Any:
        each = str(kind["type"]).removesuffix("[]")
        match said:
            case list() if "components" in kind:
                return tuple(given(x, k) for x, k in zip(said, kind["components"], strict=True))
            case {"param": str(name)}:
                return params[name]
            case {"individual": str(name), "of": str(sort)}:
                return _said(people, EntityType(sort), name, each)
            case {"start": str(var), "of": str(sort)}:
                return [_said(people, EntityType(sort), n, each) for n in starts.get(var, ())]
            case {"everybody": str(sort)}:
                return [_said(people, EntityType(sort), n, each) for n in people.known[EntityType(sort)]]
            case _:
                return said

    kinds = names.abi["constructor", ""]["inputs"] if ("constructor", "") in names.abi else []
    try:
        values = [given(x, k) for x, k in zip(names.constructor, kinds, strict=True)]
    except (KeyError, ValueError) as fault:
        raise EvmError(f"that is not what the constructor of {names.contract} is given: {fault}") from fault
    return names.bytecode + _encoded([_kind(k) for k in kinds], values)


def reason(names: Names, data: bytes) -> str:
    """The text of the reason to revert with this data."""
    from eth_abi.abi import decode

    if data[:4] == _TEXT:
        return str(decode(["string"], data[4:])[0])
    if data[:4] == _PANIC:
        return f"panic {int.from_bytes(data[4:], 'big'):#x}"
    found = next((x["name"] for (kind, _), x in names.abi.items() if kind == "error" and selector(x) == data[:4]), "")
    return names.errors.get(found, found or f"0x{data.hex()}")


def selector(entry: Mapping[str, Any]) -> bytes:
    """How the data of a call of this function, or of this error, begins."""
    return signature(entry)[:4]


def signature(entry: Mapping[str, Any]) -> bytes:
    """The hash that stands for a function, an error or an event."""
    return _hash(f"{entry['name']}({','.join(map(_kind, entry['inputs']))})")


@lru_cache(maxsize=512)
def _hash(text: str) -> bytes:
    from eth_utils.crypto import keccak

    return bytes(keccak(text=text))


def _kind(entry: Mapping[str, Any]) -> str:
    """The type as signatures write it: a struct is the list of its members."""
    members = ",".join(map(_kind, entry.get("components", ())))
    return str(entry["type"]).replace("tuple", f"({members})", 1)


def _said(people: People, type: Scalar | None, value: Value, kind: str) -> Any:
    """A value of the core as one of the ABI's type `kind`."""
    match type:
        case EntityType():
            word = people.word(type, str(value))
            shapes: dict[str, Callable[[int], Any]] = {"address": address, "bytes32": lambda w: w.to_bytes(32, "big")}
            return shapes.get(kind, int)(word)
        case EnumType():
            return type.cases.index(str(value))
        case _:
            return value


def _unaddressed(found: Any) -> int:
    match found:
        case str():
            word = int(found, 16)
            return word - (0xB07 << 144) if word else 0
        case bytes():
            return int.from_bytes(found, "big")
        case _:
            return int(found)


def _encoded(kinds: Sequence[str], values: Sequence[Any]) -> bytes:
    from eth_abi.abi import encode
    from eth_abi.exceptions import EncodingError

    try:
        return bytes(encode(kinds, values))
    except EncodingError as fault:
        raise EvmError(f"no transaction can say that: {fault}") from fault
