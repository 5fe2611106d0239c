"""A system to the storage of a contract: types of sorts, structs of cells, and who is on a roll.

NOTE(rolls): a bulk write `for each b` of the core is about everybody there is. The contract keeps, for a sort that some
bulk write ranges over, a list of all individuals of whom it knows anything on which bulk writes depend (the roll), and
walks it. That is exact if the write changes nothing for those who are not on the roll, which `at_stranger` shows: with
the initial value in the place of each of their cells, the value written folds to the value that is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from policydsl.core.after import reads
from policydsl.core.expr import FALSE, Apply, Const, Expr, Op, Ref, Space, subterms, transform
from policydsl.core.system import CLOCK, NOW, PRINCIPAL, Origin, StateVar, System, Write
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, Scalar, StringType
from runtime.solidity_names import Unique, lower_camel, upper_camel


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cells of `var` are: `member` of the struct `row`, or of the contract when `row` is ""."""

    var: StateVar
    row: str
    member: str
    getter: str

    @property
    def offset(self) -> Expr | None:
        """What an untouched cell means, if that is not what untouched storage holds."""
        return None if not self.row or self.var.init is None or is_zero(self.var.init) else self.var.init


@dataclass(frozen=True, slots=True)
class Layout:
    """How everything is called and stored. `rolls` gives the variables on which bulk writes over a sort depend."""

    system: System
    contract: str
    addresses: frozenset[EntityType]
    keys: frozenset[EntityType]
    places: dict[str, Place]
    rows: dict[str, tuple[EntityType, ...]]
    rolls: dict[EntityType, frozenset[str]]
    types: dict[Scalar, str]
    functions: dict[str, str]
    events: dict[str, str]
    individuals: dict[Const, str]
    params: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)

    def type(self, type: Scalar) -> str:
        match type:
            case BoolType():
                return "bool"
            case IntType():
                return "int256"
            case StringType():
                return "string"
            case EnumType():
                return self.types[type]
            case EntityType():
                if type in self.addresses:
                    return "address"
                return "uint256" if type in self.keys else "bytes32"

    def immutables(self) -> tuple[str, ...]:
        """Names that nothing local to a function may have."""
        return (*self.params.values(), *self.individuals.values())

    def store(self, row: str) -> str:
        """The name of the mapping that holds the structs `row`."""
        return f"_{row[0].lower()}{row[1:]}s"

    def roll(self, sort: EntityType) -> str:
        return f"_roll{upper_camel(sort.name)}"

    def enlist(self, sort: EntityType) -> str:
        return f"_enlist{upper_camel(sort.name)}"

    def most(self, sort: EntityType) -> str:
        return f"MOST_{sort.name.upper()}"


def is_zero(init: Expr) -> bool:
    """Whether a cell of untouched storage reads as `init`."""
    if not isinstance(init, Const):
        return False
    if isinstance(init.type, EnumType):
        return init.value == init.type.cases[0]
    return init.value in (False, "")  # `False == 0`


def kept(system: System) -> list[StateVar]:
    """The variables that the contract stores.

    Running sums that nothing reads are for proofs alone. Nor is the clock stored when it serves only to assume that it
    does not go back, because the rules of the chain say so of the time of blocks.
    """
    idle = {v.name for v in system.state if v.origin in (Origin.GHOST, Origin.CLOCK)}
    while True:
        read: set[str] = set()
        for action in system.actions:
            read |= reads(*(g.expr for g in action.guards if not is_clock_guard(g.expr)))
            for w in action.writes:
                if w.var not in idle:
                    read |= reads(w.value, *w.keys)
        if not idle & read:
            return [v for v in system.state if v.name not in idle]
        idle -= read


def is_clock_guard(expr: Expr) -> bool:
    """`clock <= now`: a block is never older than the one before."""
    match expr:
        case Apply(op=Op.LE, args=(Ref(space=Space.STATE, name=state), Ref(space=Space.INPUT, name=name))):
            return state == CLOCK and name == NOW
        case _:
            return False


def at_stranger(write: Write, system: System) -> tuple[bool, frozenset[str]]:
    """Whether a bulk write with one binder leaves alone those of whom nothing is known, and the variables of which
    nothing must be known for that."""
    (binder,) = write.binders
    own = Apply(Op.SELECT, (system.variable(write.var).ref, *write.keys), write.value.type)
    met = {x.args[0].name for x in _cells_of(write.value, binder) if x is not own and isinstance(x.args[0], Ref)}
    for known in (met, met | {write.var}):
        if not _stays(write, system, known):
            continue
        # Fewer variables mean fewer on the roll.
        needed = set(known)
        for name in sorted(known):
            if _stays(write, system, needed - {name}):
                needed.discard(name)
        return True, frozenset(needed)
    return False, frozenset()


def _cells_of(value: Expr, binder: Ref) -> list[Apply]:
    return [x for x in subterms(value) if isinstance(x, Apply) and x.op is Op.SELECT and binder in x.args[1:]]


def _start(var: StateVar) -> Expr:
    return FALSE if var.init is None else var.init


def _stays(write: Write, system: System, known: set[str]) -> bool:
    """Whether the write leaves alone those for whom the cells of `known` have their initial values."""
    (binder,) = write.binders
    own = Apply(Op.SELECT, (system.variable(write.var).ref, *write.keys), write.value.type)
    images: dict[Expr, Expr] = {}
    for cell in _cells_of(write.value, binder):
        variable = cell.args[0]
        if isinstance(variable, Ref) and variable.name in known:
            images[cell] = _start(system.variable(variable.name))
    value = transform(write.value, lambda e: images.get(e))  # noqa: PLW0108 its overloads are no callable
    # SOUND: a comparison of the stranger with somebody stays open, for somebody who asks may be a stranger.
    return value is (_start(system.variable(write.var)) if write.var in known else own)


def layout_of(system: System, rolls: dict[EntityType, frozenset[str]]) -> Layout:
    """Types, structs and names. Sorts that ask or are in groups are addresses, other keys are numbers, the rest are
    fingerprints of 32 bytes."""
    variables = kept(system)
    addresses = {i.type for a in system.actions for i in a.inputs if i.name == PRINCIPAL}
    addresses |= {v.keys[0] for v in system.state if v.origin is Origin.GROUP}
    sorts = frozenset(s for s in addresses if isinstance(s, EntityType))
    names, members = Unique(), Unique()
    members.take("onRoll")
    for own in ("Parameters", "ParameterOutOfRange", "RollIsFull", "NamedTwice"):
        names.take(own)
    contract = names.take(upper_camel(system.name.rpartition(".")[2]) or "Policy")
    enums: dict[Scalar, str] = {t: names.take(upper_camel(t.name)) for t in _enums(system)}
    rows: dict[str, tuple[EntityType, ...]] = {}
    by_keys: dict[tuple[EntityType, ...], str] = {}
    for keys in (*(v.keys for v in variables), *((s,) for s in rolls)):
        if keys and keys not in by_keys:
            row = names.take("".join(upper_camel(k.name) for k in keys) + "Row")
            by_keys[keys] = row
            rows[row] = keys
    functions = {a.name: names.take(lower_camel(a.name)) for a in system.actions}
    places = {}
    for v in variables:
        getter = names.take(lower_camel(v.name))
        row = by_keys[v.keys] if v.keys else ""
        places[v.name] = Place(v, row, members.take(lower_camel(v.name)) if row else f"_{getter}", getter)
    individuals = {c: names.take(lower_camel(str(c.value))) for c in system.individuals}
    params = {p.name: names.take(p.name) for p in system.params}
    events = {a.name: names.take(upper_camel(a.name)) for a in system.actions}
    errors: dict[str, str] = {}
    for a in system.actions:
        for g in a.guards:
            if g.reason not in errors:
                errors[g.reason] = names.take(upper_camel(g.reason) or "Denied")
    return Layout(
        system,
        contract,
        sorts,
        frozenset(k for keys in rows.values() for k in keys),
        places,
        rows,
        rolls,
        enums,
        functions,
        events,
        individuals,
        params,
        errors,
    )


def _enums(system: System) -> list[EnumType]:
    found: dict[EnumType, None] = {}
    for x in (*(v.type for v in system.state), *(i.type for a in system.actions for i in a.inputs)):
        if isinstance(x, EnumType):
            found[x] = None
    found.update((p.type, None) for p in system.params if isinstance(p.type, EnumType))
    return list(found)
