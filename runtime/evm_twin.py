"""A contract on an EVM and the reference interpreter beside it: both are asked the same, and their cells compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from policydsl.core.system import NOW, PRINCIPAL, System
from policydsl.core.types import EntityType, Scalar, Value
from policydsl.interp import Request, initial, step
from policydsl.state import EVERYONE_ELSE
from policydsl.trace import Cell, Decision, Trace
from runtime.evm import Evm, EvmError, Receipt
from runtime.evm_names import Names, People, address, call_data, check_names, construction, read_data, reason, shown


@dataclass(frozen=True, slots=True)
class Answer:
    """What both said to one request. `said` is the contract's reason to revert; empty when it did not."""

    expected: Decision
    receipt: Receipt
    said: str

    @property
    def agrees(self) -> bool:
        allowed = self.expected.effect == "allow"
        return self.receipt.ok == allowed and (allowed or self.said == self.expected.reason)


class EvmTwin:
    """A contract that is deployed, and the state in which the interpreter has it.

    `starts` are the members of the sets that may start with anything; `everybody` are the names of each sort. Raises
    `EvmError` for what no chain could do.
    """

    def __init__(
        self,
        system: System,
        names: Names,
        params: Mapping[str, Value],
        starts: Mapping[str, Sequence[str]],
        everybody: Mapping[EntityType, Sequence[str]],
        evm: Evm | None = None,
    ) -> None:
        check_names(names, system)
        self.system, self.names = system, names
        self.evm = Evm() if evm is None else evm
        self.people = People(everybody, names.numbered)
        self.at = 0
        chosen = {p.name: p.default.value for p in system.params} | dict(params)
        self.state = initial(system, chosen, [Cell(v, (n,), True) for v, found in starts.items() for n in found])
        self._counts = dict.fromkeys(names.numbered.values(), 0)
        made = self.evm.deploy(address(2**32), construction(names, self.people, chosen, starts))
        if not made.ok:
            raise EvmError(f"the constructor refuses: {reason(names, made.output)}")
        self.contract, self.cost = made.created, made.gas

    def ask(self, request: Request) -> Answer:
        """Both are asked, and the interpreter's state is the next one."""
        expected = step(self.system, self.state, request)
        receipt = self.send(request)
        self.state = expected.state
        return Answer(expected.decision, receipt, "" if receipt.ok else reason(self.names, receipt.output))

    def send(self, request: Request) -> Receipt:
        """The contract alone is asked."""
        action = self.system.action(request.action)
        data = call_data(self.names, self.people, action, request.inputs)
        receipt = self.evm.send(self._sender(request), self.contract, data, self._time(request))
        for sort, by in self.names.numbered.items():
            if by == action.name and receipt.ok:
                kind = EntityType(sort)
                name = next(str(request.inputs[i.name]) for i in action.inputs if i.type == kind)
                self.people.number(kind, name, self._counts[by])
                self._counts[by] += 1
        return receipt

    def differences(self) -> list[tuple[Cell, Value]]:
        """The cells of the interpreter that the contract shows otherwise, each with what it shows."""
        found = []
        for cell in self.cells():
            shows = self.shows(cell)
            if (shows.__class__, shows) != (cell.value.__class__, cell.value):
                found.append((cell, shows))
        return found

    def cells(self) -> Iterator[Cell]:
        """All cells of the known individuals that the contract can show."""
        for v in self.system.state:
            if v.name in self.names.getters:
                for keys in product(*(self._known(k) for k in v.keys)):
                    yield Cell(v.name, keys, self.state.read(v.name, keys))

    def shows(self, cell: Cell) -> Value:
        """The value of the cell on the chain."""
        var = self.system.variable(cell.var)
        output = self.evm.read(self.contract, read_data(self.names, self.people, var, cell.keys))
        return shown(self.names, self.people, var, output)

    def _known(self, sort: Scalar) -> tuple[str, ...]:
        if not isinstance(sort, EntityType):
            raise EvmError(f"{sort} is no sort of individuals")
        return tuple(self.people.known.get(sort, ()))

    def _sender(self, request: Request) -> bytes:
        for i in self.system.action(request.action).inputs:
            if i.name == PRINCIPAL and isinstance(i.type, EntityType):
                return address(self.people.word(i.type, str(request.inputs[PRINCIPAL])))
        return address(2**32)

    def _time(self, request: Request) -> int:
        now = request.inputs.get(NOW)
        if now is not None:
            seconds, rest = divmod(int(now), 1000)
            if rest or seconds < self.at:
                raise EvmError(f"no block has the time {now} ms: they are stamped in seconds, and in order")
            self.at = seconds
        return self.at


def twin_of(system: System, names: Names, trace: Trace) -> EvmTwin:
    """A contract that is about to make the run of `trace`: everybody in it is known, and it starts like that."""
    starts: dict[str, list[str]] = {}
    for cell in trace.start:
        var = system.variable(cell.var)
        if var.init is not None or cell.value is not True or len(cell.keys) != 1:
            raise EvmError(f"no constructor can set `{cell.var}` to {cell.value!r}")
        starts.setdefault(cell.var, []).append(cell.keys[0])
    known: dict[Scalar, dict[str, None]] = {k: {} for v in system.state for k in v.keys}
    mentioned: list[tuple[Scalar, str]] = []
    cells = [(c.var, c.keys) for c in trace.start] + [(c.var, c.keys) for s in trace.steps for c in s.changes]
    for name, keys in cells:
        mentioned += zip(system.variable(name).keys, keys, strict=True)
    for s in trace.steps:
        types = {i.name: i.type for i in system.action(s.action).inputs}
        mentioned += [(types[i], str(value)) for i, value in s.inputs]
    mentioned += [(c.type, str(c.value)) for c in system.individuals if isinstance(c.type, EntityType)]
    for sort, name in mentioned:
        if name not in ("", EVERYONE_ELSE):
            known.setdefault(sort, {})[name] = None
    everybody = {s: tuple(found) for s, found in known.items() if isinstance(s, EntityType)}
    return EvmTwin(system, names, dict(trace.params), starts, everybody)
