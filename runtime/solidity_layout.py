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
from runtime.solidity_copies import Copy, copies_of
from runtime.solidity_names import Unique, lower_camel, upper_camel


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cells of `var` are: `member` of the struct `row`, or of the contract when `row` is "".

    For a variable that is copied to (NOTE(copies)), the numbers of the copies are there.
    """

    var: StateVar
    row: str
    member: str
    getter: str

    @property
    def offset(self) -> Expr | None:
        """What an untouched cell means, if that is not what untouched storage holds."""
        return None if not self.row or self.var.init is None or is_zero(self.var.init) else self.var.init


@dataclass(frozen=True, slots=True)
class Past:
    """Names for a sort of whose individuals older records are kept: the struct, one that is never written, and the
    functions that find the latest record, that of the time of a copy, and one to write to."""

    row: str
    start: str
    now: str
    then: str
    change: str


@dataclass(frozen=True, slots=True)
class Layout:
    """How everything is called and stored. `rolls` gives the variables on which walks over a sort depend, `copies`
    those that are looked up, and `pasts` the sorts whose past is kept for that."""

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
    copies: dict[str, Copy]
    pasts: dict[EntityType, Past]
    errors: dict[str, str] = field(default_factory=dict)

    def past(self, row: str) -> Past | None:
        """That whose records are these structs."""
        return next((p for p in self.pasts.values() if p.row == row), None)

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

    def stored(self, type: Scalar) -> str:
        """Integers are kept in 128 bits, so that two share a slot."""
        return "int128" if isinstance(type, IntType) else self.type(type)

    def outside(self) -> tuple[str, ...]:
        """Names that nothing local to a function may have, for it would hide what they name."""
        named = (self.params, self.individuals, self.functions)
        return (*(n for names in named for n in names.values()), *(p.getter for p in self.places.values()))

    def store(self, row: str) -> str:
        """The name of the mapping that holds the structs `row`."""
        return f"_{row[0].lower()}{row[1:]}s"

    def roll(self, sort: EntityType) -> str:
        return f"_roll{upper_camel(sort.name)}"

    def on_roll(self, sort: EntityType) -> str:
        return f"_onRoll{upper_camel(sort.name)}"

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
    members.take("since")
    for own in (
        "Parameters",
        "ParameterOutOfRange",
        "RollIsFull",
        "NamedTwice",
        "NumberTooLarge",
        "_copies",
        "_int128",
    ):
        names.take(own)
    contract = names.take(upper_camel(system.name.rpartition(".")[2]) or "Policy")
    enums: dict[Scalar, str] = {t: names.take(upper_camel(t.name)) for t in _enums(system)}
    copies = {name: c for name, c in copies_of(system).items() if any(v.name == name for v in variables)}
    sources = {name for c in copies.values() for name in c.sources}
    rows: dict[str, tuple[EntityType, ...]] = {}
    found: dict[tuple[tuple[EntityType, ...], bool], str] = {}
    row_of: dict[str, str] = {}
    for v in variables:
        keys = v.keys
        if v.name in copies:
            keys = tuple(k.type for k in copies[v.name].others if isinstance(k.type, EntityType))
        if keys:
            kind = (keys, v.name in sources)
            if kind not in found:
                found[kind] = names.take("".join(upper_camel(k.name) for k in keys) + ("Record" if kind[1] else "Row"))
                rows[found[kind]] = keys
            row_of[v.name] = found[kind]
    pasts: dict[EntityType, Past] = {}
    for c in copies.values():
        name = lower_camel(c.sort.name)
        if c.sort not in pasts:
            taken = (names.take(f"_{name}{x}") for x in ("Start", "Now", "Then", "Change"))
            pasts[c.sort] = Past(found[(c.sort,), True], *taken)
    functions = {a.name: names.take(lower_camel(a.name)) for a in system.actions}
    places = {}
    for v in variables:
        getter = names.take(lower_camel(v.name))
        row = row_of.get(v.name, "")
        member = lower_camel(v.name) + ("Copies" if v.name in copies else "")
        places[v.name] = Place(v, row, members.take(member) if row else f"_{getter}", getter)
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
        frozenset(k for v in variables for k in v.keys),
        places,
        rows,
        rolls,
        enums,
        functions,
        events,
        individuals,
        params,
        copies,
        pasts,
        errors,
    )


def _enums(system: System) -> list[EnumType]:
    found: dict[EnumType, None] = {}
    for x in (*(v.type for v in system.state), *(i.type for a in system.actions for i in a.inputs)):
        if isinstance(x, EnumType):
            found[x] = None
    found.update((p.type, None) for p in system.params if isinstance(p.type, EnumType))
    return list(found)
