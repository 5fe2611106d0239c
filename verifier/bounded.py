"""Bounded search: goals to short runs that reach them, replayed in the reference interpreter.

All goals of a system share one unrolling. A run is minimal in steps, then in individuals, then in parameters and
numbers. What is returned has been replayed; a model that does not replay counts as nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import z3

from policydsl.core.expr import Expr, conj, negate
from policydsl.core.system import Property, PropertyKind, System
from policydsl.core.types import Value
from policydsl.interp import Request, State, UnfitError, evaluate, run, start_faults, states, violated
from policydsl.trace import Cell, Trace
from verifier.distance import Graphs
from verifier.finite import Population, population
from verifier.from_model import Reader
from verifier.unroll import Unrolling, act_at


@dataclass(frozen=True, slots=True)
class Goal:
    """Something to reach: `formula` over a state; with `action`, over a request of it in that state, allowed or not;
    with `moves`, over an allowed step of it. `prop` is the property whose fate hangs on it, if any."""

    name: str
    formula: Expr
    action: str = ""
    moves: bool = False
    prop: Property | None = None

    @property
    def minimal(self) -> bool:
        """Whether nothing but a shortest run will do: what is broken is shown as simply as it can be."""
        return self.prop is not None and self.prop.kind is not PropertyKind.REACHABLE


def violations(system: System, prop: Property) -> list[Goal]:
    """Goals any of which breaks `prop` (or reaches it, if it is `reachable`); all carry its name."""
    names = [prop.action] if prop.action else [a.name for a in system.actions]
    match prop.kind:
        case PropertyKind.INVARIANT | PropertyKind.LEMMA:
            return [Goal(prop.name, negate(prop.expr), prop=prop)]
        case PropertyKind.REACHABLE:
            return [Goal(prop.name, prop.expr, prop=prop)]
        case PropertyKind.ASSERT:
            broken = negate(prop.expr)
            return [Goal(prop.name, conj(system.action(n).assumed, broken), n, prop=prop) for n in names]
        case PropertyKind.STEP:
            return [Goal(prop.name, negate(prop.expr), n, moves=True, prop=prop) for n in names]
        case PropertyKind.LEADS_TO:
            return []


@dataclass(frozen=True, slots=True)
class Limits:
    """How far to look. Resources are counted by the solver, so a result does not depend on the machine."""

    depth: int = 12
    rlimit: int = 2_000_000  # for one question at one depth
    total: int = 60_000_000  # for all questions of one search
    size: int = 2  # individuals of each sort beside those that the specification names
    principals: int = 3  # the same for sorts that act


@dataclass(frozen=True, slots=True)
class Question:
    """A goal as text: `name` is a Boolean that `template` defines to be the goal's formula; both need a step."""

    goal: Goal
    template: str
    name: str


@dataclass(frozen=True, slots=True)
class Bound:
    """`holds` implies that `left` was at most the number of steps to come; as templates, and names that they define."""

    holds: tuple[str, str]
    left: tuple[str, str]


@dataclass(slots=True)
class Search:
    """What was found (goal name to run), and to which depth every goal that was not found was ruled out."""

    found: dict[str, Trace] = field(default_factory=dict)
    depth: dict[str, int] = field(default_factory=dict)


def search(system: System, goals: Iterable[Goal], limits: Limits, tick: Callable[[], None] = lambda: None) -> Search:
    """Look for all `goals` at once, shallow runs first."""
    searcher = Searcher(system, list(goals), limits, tick)
    searcher.look(limits.depth)
    return searcher.result


def search_from(system: System, goal: Goal, given: Iterable[Expr], limits: Limits) -> Trace | None:
    """A run to `goal` from an initial state that satisfies `given`."""
    searcher = Searcher(system, [goal], limits, given=given)
    searcher.look(limits.depth)
    return searcher.result.found.get(goal.name)


class Searcher:
    """A search that can be taken further: `look(4)`, then, when the prover has had its turn, `look(12)`.

    Runs start in initial states that satisfy `given`.
    """

    def __init__(
        self,
        system: System,
        goals: list[Goal],
        limits: Limits,
        tick: Callable[[], None] = lambda: None,
        given: Iterable[Expr] = (),
        people: Population | None = None,
    ) -> None:
        self.system = system
        self.limits = limits
        self.tick = tick
        self.unrolling = Unrolling(system, people or population(system, limits.size, limits.principals))
        self.context = z3.Context()
        self.parser = z3.ParserContext(self.context)
        self.solver = z3.Solver(ctx=self.context)
        self.solver.set("random_seed", 0)
        self.spent = 0
        self.closed: set[str] = set()
        self.result = Search()
        self._asked = [
            Question(g, *self.unrolling.question(g.formula, system.action(g.action) if g.action else None))
            for g in goals
        ]
        self.next = 0
        self._bounds: dict[Goal, list[Bound]] = {}
        self._add(self.unrolling.start())
        for formula in given:
            template, name = self.unrolling.question(formula, None)
            self._add(self.unrolling.at(template, 0))
            self.solver.add(z3.Bool(self.unrolling.at(name, 0), self.context))

    def look(self, depth: int) -> None:
        """Look for the goals that are still open in runs of up to `depth` steps."""
        while self.next <= depth and not self._done():
            self.tick()
            self._level(self.next)
            self.next += 1

    def try_runs(self, runs: Iterable[Trace]) -> None:
        """Take the shortest prefix of any of `runs`, all real runs, that reaches a goal which need not be minimal."""
        for trace in runs:
            visited = states(self.system, trace)
            for i, state in enumerate(visited):
                step = trace.steps[i - 1] if i else None
                for goal in (q.goal for q in self._asked if not self._settled(q.goal)):
                    if goal.minimal:
                        continue
                    if not goal.action:
                        reached = evaluate(goal.formula, state) is True
                    elif step is not None and step.action == goal.action:
                        reached = evaluate(goal.formula, visited[i - 1], dict(step.inputs)) is True
                    else:
                        reached = False
                    if reached:
                        self.result.found[goal.name] = replace(trace, steps=trace.steps[:i])

    def measure(self, graphs: Graphs) -> None:
        """Tell the solver how far away the open goals are at least, as far as `graphs` say."""
        for goal in self.open:
            action = self.system.action(goal.action) if goal.action else None
            self._bounds[goal] = [
                Bound(self.unrolling.question(d.formula, action), self.unrolling.question(d.left, None))
                for d in graphs.distances(goal.formula, action, self.population)
            ]
        for depth in range(self.next):
            self._measure_here(depth)

    def _measure_here(self, depth: int) -> None:
        for bounds in self._bounds.values():
            for b in bounds:
                self._add(self.unrolling.at(b.left[0], depth))

    def adopt(self, found: Mapping[str, Trace]) -> None:
        """Take runs to goals of the same names, which another search has found."""
        for name, trace in found.items():
            self.result.found.setdefault(name, trace)

    @property
    def open(self) -> list[Goal]:
        """The goals of which it is worth asking further."""
        return [q.goal for q in self._asked if not self._settled(q.goal)]

    @property
    def goes_on(self) -> bool:
        """Whether there is anything left to look for within the limits."""
        return self.next <= self.limits.depth and not self._done()

    @property
    def population(self) -> Population:
        return self.unrolling.population

    def close(self, names: Iterable[str]) -> None:
        """Forget goals: they have been settled elsewhere."""
        self.closed.update(names)

    def _level(self, depth: int) -> None:
        if depth:
            # A request need not be allowed, so this is asked about before the step adds that it is.
            self._add(self.unrolling.requests(depth - 1))
            self._ask_all([q for q in self._asked if q.goal.action and not q.goal.moves], depth - 1)
            self._add(self.unrolling.moves(depth - 1))
            self._ask_all([q for q in self._asked if q.goal.moves], depth - 1)
        self._measure_here(depth)
        self._ask_all([q for q in self._asked if not q.goal.action], depth)

    def _ask_all(self, questions: list[Question], step: int) -> None:
        """Ask for all open goals at once, and again for those that the answer does not settle."""
        rest = [q for q in questions if not self._settled(q.goal)]
        if not rest:
            return
        self.solver.push()
        literals: dict[Goal, z3.BoolRef] = {}
        for q in rest:
            self._add(self.unrolling.at(q.template, step))
            literals[q.goal] = self._literal(q, step)
            for b in self._bounds.get(q.goal, ()):
                self._add(self._bounded(b, step))
        while rest:
            self.solver.push()
            self.solver.add(z3.Or(*(literals[q.goal] for q in rest)))
            answer = self.check()
            reached: list[Question] = []
            if answer == z3.sat:
                model = self.solver.model()
                reached = [q for q in rest if z3.is_true(model.eval(literals[q.goal], model_completion=True))]
                self._keep_all([q.goal for q in reached if not q.goal.prop], step, model)
            self.solver.pop()
            if answer == z3.unsat:
                for q in rest:
                    self.result.depth[q.goal.name] = step
                break
            if answer == z3.unknown:
                for q in rest:
                    self._ask(q.goal, literals[q.goal], step)
                break
            for q in reached:
                if q.goal.prop and not self._settled(q.goal):
                    self._ask(q.goal, literals[q.goal], step)
            rest = [q for q in rest if q not in reached and not self._settled(q.goal)]
        self.solver.pop()

    def _bounded(self, b: Bound, step: int) -> str:
        template, holds = b.holds
        ways = [f"(<= {self.unrolling.at(b.left[1], i)} {step - i})" for i in range(step + 1)]
        known = f"(assert (=> {holds} (and {' '.join(ways)})))"
        return self.unrolling.at(f"{template}\n{known}", step)

    def _literal(self, q: Question, step: int) -> z3.BoolRef:
        holds = z3.Bool(self.unrolling.at(q.name, step), self.context)
        if not q.goal.action:
            return holds
        act = z3.Int(act_at(step), self.context)
        return z3.And(holds, act == self.unrolling.number(q.goal.action))

    def _settled(self, goal: Goal) -> bool:
        return goal.name in self.result.found or goal.name in self.closed or self.spent > self.limits.total

    def _done(self) -> bool:
        return all(self._settled(q.goal) for q in self._asked)

    def _add(self, text: str) -> None:
        for assertion in self.parser.from_string(text):
            self.solver.add(assertion)

    def check(self) -> z3.CheckSatResult:
        """The solver's answer, within the resources that are left."""
        self.solver.set("rlimit", self.limits.rlimit)
        before = self._counter()
        answer = self.solver.check()
        self.spent += max(0, self._counter() - before)
        return answer

    def _counter(self) -> int:
        statistics = self.solver.statistics()
        # The keys are sorted and this one is near the end; reading them all takes longer than many an answer.
        last = (statistics[i] for i in range(len(statistics) - 1, -1, -1))
        return next((int(value) for key, value in last if key == "rlimit count"), 0)

    def _ask(self, goal: Goal, literal: z3.BoolRef, step: int) -> None:
        self.solver.push()
        self.solver.add(literal)
        answer = self.check()
        if answer == z3.sat:
            self._keep(goal, self._read(goal, step))
        elif answer == z3.unsat:
            self.result.depth[goal.name] = step
        else:
            # Deeper questions only get harder; give the others what is left.
            self.closed.add(goal.name)
        self.solver.pop()

    def _keep(self, goal: Goal, trace: Trace | None) -> None:
        if trace is not None:
            self.result.found.setdefault(goal.name, trace)

    def _keep_all(self, goals: list[Goal], step: int, model: z3.ModelRef) -> None:
        """What `model` shows of `goals`, which need no smallest run: all of it in one run, or in two."""
        for steps in dict.fromkeys(step + bool(g.action) for g in goals):
            played = self._play(*self._reader(steps, model).plain())
            if played is not None:
                for goal in goals:
                    if step + bool(goal.action) == steps:
                        self._keep(goal, self._shown(goal, *played))

    def _read(self, goal: Goal, step: int) -> Trace | None:
        played = self._play(*self._reader(step + bool(goal.action)).smallest())
        return None if played is None else self._shown(goal, *played)

    def _reader(self, steps: int, model: z3.ModelRef | None = None) -> Reader:
        return Reader(self.system, self.unrolling, self.solver, self.check, steps, model)

    def _play(
        self, requests: list[Request], params: dict[str, Value], start: list[Cell]
    ) -> tuple[Trace, list[State]] | None:
        """The run as the reference interpreter has it, if it begins where runs of the system do."""
        try:
            trace, _ = run(self.system, requests, params, start)
        except UnfitError:
            return None
        return None if start_faults(self.system, trace) else (trace, states(self.system, trace))

    def _shown(self, goal: Goal, trace: Trace, visited: list[State]) -> Trace | None:
        """As much of the run as shows `goal`."""
        # SOUND: a run counts only if the reference interpreter confirms what the solver claims.
        if goal.prop is not None:
            at = violated(self.system, goal.prop, trace)
            if at is None:
                return None
            # The interpreter may see earlier what the search did not: it takes nobody for an individual like others.
            trace, visited = replace(trace, steps=trace.steps[:at]), visited[: at + 1]
        return trace if self._reached(goal, trace, visited) else None

    def _reached(self, goal: Goal, trace: Trace, visited: list[State]) -> bool:
        allowed = trace.steps[: len(trace.steps) - (goal.action != "" and not goal.moves)]
        if any(s.decision.effect != "allow" for s in allowed):
            return False
        if not goal.action:
            return evaluate(goal.formula, visited[-1]) is True
        request = Request(goal.action, dict(trace.steps[-1].inputs))
        after = visited[-1] if goal.moves else None
        return evaluate(goal.formula, visited[-2], request.inputs, after=after) is True
