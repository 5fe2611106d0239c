"""A property and the variables to track, to constrained Horn clauses over cells; see NOTE(cells).

The unknown `Inv` stands for a formula over the cells at the distinguished individuals that holds of every reachable
state for every choice of distinct individuals. Nothing here is trusted: what comes back is checked by induction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

from policydsl.core.after import after, reads
from policydsl.core.expr import (
    FALSE,
    TRUE,
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    conj,
    eq,
    forall,
    implies,
    negate,
    refs,
    select,
    substitute,
    subterms,
)
from policydsl.core.system import Action, StateVar, System
from policydsl.core.types import EntityType, EnumType, MapType, StringType
from verifier.cells import NeedError, Specialiser, UnsupportedError, View, choices
from verifier.ground import Names, has_quantifier, negation_normal, skolemise
from verifier.induction import initially, parameters
from verifier.to_smt import Printer, sort

MAX_CLAUSES = 3_000
MAX_TUPLES = 12
"""Instances of `Inv` assumed in one clause beside the one at the distinguished individuals."""


class TooBigError(Exception):
    """More clauses than are worth trying."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Clauses, with what is needed to read an answer: `arguments[i]` is the cell that is the i-th argument of `Inv`."""

    text: str
    arguments: tuple[Expr, ...]
    slots: tuple[Const, ...]  # the representative of each distinguished individual
    named: tuple[Const, ...]


def split_foralls(goal: Expr) -> tuple[list[Ref], Expr]:
    """`forall x, y . body` as ([x, y], body)."""
    bounds: list[Ref] = []
    while isinstance(goal, Apply) and goal.op is Op.FORALL:
        bound = goal.args[0]
        assert isinstance(bound, Ref)
        bounds.append(bound)
        goal = goal.args[1]
    return bounds, goal


def problem(
    system: System,
    goal: Expr,
    tracked: frozenset[str],
    known: Sequence[Expr],
    extra: tuple[EntityType, ...] = (),
    *,
    all_facts: bool = False,
) -> Problem:
    """The clauses whose solvability gives an inductive invariant over `tracked` that implies `goal`.

    `goal` may mention inputs: then it is to hold for every request. `known` are invariants already proved; `extra`
    distinguishes more individuals than `goal` names. With `all_facts` the implication of the goal may use
    what is known of variables that are not tracked.
    """
    bounds, body = split_foralls(goal)
    if has_quantifier(body):
        raise UnsupportedError(body)
    return _Builder(system, bounds, body, tracked, known, extra, all_facts=all_facts).build()


class _Builder:
    def __init__(
        self,
        system: System,
        bounds: list[Ref],
        body: Expr,
        tracked: frozenset[str],
        known: Sequence[Expr],
        extra: tuple[EntityType, ...],
        *,
        all_facts: bool,
    ) -> None:
        self.system = system
        self.bounds = bounds
        self.body = body
        self.tracked = tracked
        self.known = [k for k in known if reads(k) <= tracked | reads(body)]
        self.closing = known if all_facts else self.known
        self.actions = [a for a in system.actions if any(w.var in tracked for w in a.writes)]
        sorts = [*(b.type for b in bounds), *extra]
        self.start = replace(system, state=tuple(_without_nobody(v) for v in system.state))
        self.slots = tuple(Const(f"@{i}", s) for i, s in enumerate(sorts))
        self.named = self._named()
        self.arguments = self._cells()
        self.clauses: dict[str, None] = {}

    def _named(self) -> tuple[Const, ...]:
        roots = [self.body, *(g.expr for a in self.actions for g in a.guards if self._matters(g.expr))]
        roots += [w.value for a in self.actions for w in a.writes if w.var in self.tracked]
        used = {e for e in subterms(*roots) if isinstance(e, Const) and isinstance(e.type, EntityType)}
        return tuple(c for c in self.system.individuals if c in used)

    def _matters(self, guard: Expr) -> bool:
        return not reads(guard) or bool(reads(guard) & self.tracked)

    def _cells(self) -> tuple[Expr, ...]:
        everybody = (*self.slots, *self.named)
        cells: list[Expr] = [p.ref for p in self.system.params]
        people: dict[EntityType, list[Expr]] = {}
        for variable in self.system.state:
            if variable.name not in self.tracked or isinstance(variable.type, StringType):
                continue
            for keys in product(*([r for r in everybody if r.type == k] for k in variable.keys)):
                cell = select(variable.ref, *keys)
                if isinstance(variable.type, EntityType):
                    known = people.setdefault(variable.type, [r for r in everybody if r.type == variable.type])
                    cells += [eq(cell, other) for other in known]
                    known.append(cell)
                else:
                    cells.append(cell)
        return tuple(cells)

    def build(self) -> Problem:
        self._clause([], self._inv([self._initial(c) for c in self.arguments]))
        for action in self.actions:
            self._steps(action)
        self._queries()
        head = [
            "(set-logic HORN)",
            f"(declare-fun Inv ({' '.join(sort(a.type) for a in self.arguments)}) Bool)",
        ]
        return Problem("\n".join([*head, *self.clauses, ""]), self.arguments, self.slots, self.named)

    def _initial(self, cell: Expr) -> Expr:
        return initially(self.start, cell)

    def _inv(self, arguments: Sequence[Expr]) -> tuple[Expr, ...]:
        return tuple(arguments)

    def _steps(self, action: Action) -> None:
        names = Names()
        guards: list[Expr] = []
        for guard in action.guards:
            # A dropped guard only allows more steps; what is lost is precision, never soundness.
            parts = [part for part in _conjuncts(guard.expr) if self._matters(part)]
            guards += [skolemise(negation_normal(p), names) if has_quantifier(p) else p for p in parts]
        post = [after(c, action.writes) for c in self.arguments]
        if all(p is c for p, c in zip(post, self.arguments, strict=True)):
            return

        def build(view: View) -> None:
            special = Specialiser(view)
            guard = conj(*(_or_true(special, g) for g in guards))
            if guard is FALSE:
                return
            heads = [special(p) for p in post]
            if all(h is special(c) for h, c in zip(heads, self.arguments, strict=True)):
                return
            body = [guard, *self._known(special, self.known)]
            assumed = [tuple(special(c) for c in self.arguments)]
            assumed += self._elsewhere(special, [*body, *heads])
            self._clause(assumed, tuple(heads), body)

        for _ in choices(View((*self.slots, *self.named)), build):
            pass

    def _known(self, special: Specialiser, formulas: Sequence[Expr]) -> list[Expr]:
        facts: list[Expr] = []
        for known in formulas:
            bounds, body = split_foralls(known)
            if has_quantifier(body):
                continue
            for people in product(*(special.view.of(b.type) for b in bounds)):
                try:
                    facts.append(special(substitute(body, dict(zip(bounds, people, strict=True)))))
                except (NeedError, UnsupportedError):
                    continue
        return facts

    def _elsewhere(self, special: Specialiser, used: list[Expr]) -> list[tuple[Expr, ...]]:
        """The cells at other tuples of distinct representatives, where the step reads one of them."""
        if not self.slots:
            return []
        mentioned = set(subterms(*used))
        result: list[tuple[Expr, ...]] = []
        others = [r for r in special.view.representatives if r not in self.named]
        for people in permutations(others, len(self.slots)):
            if people == self.slots or any(p.type != s.type for p, s in zip(people, self.slots, strict=True)):
                continue
            images: dict[Expr, Expr] = dict(zip(self.slots, people, strict=True))
            try:
                moved = tuple(special(substitute(c, images)) for c in self.arguments)
            except NeedError:
                continue
            fresh = set(self.arguments)
            if any(m in mentioned and m not in fresh and not isinstance(m, (Const, Ref)) for m in moved):
                result.append(moved)
        return result[:MAX_TUPLES]

    def _queries(self) -> None:
        everybody = (*self.slots, *self.named)
        for people in product(*([r for r in everybody if r.type == b.type] for b in self.bounds)):
            bad = negate(substitute(self.body, dict(zip(self.bounds, people, strict=True))))

            def build(view: View, bad: Expr = bad) -> None:
                special = Specialiser(view)
                body = [special(bad), *self._known(special, self.closing)]
                assumed = [tuple(special(c) for c in self.arguments), *self._elsewhere(special, body)]
                self._clause(assumed, None, body)

            for _ in choices(View(everybody), build):
                pass

    def _clause(
        self, assumed: Sequence[Sequence[Expr]], head: Sequence[Expr] | None, body: Sequence[Expr] = ()
    ) -> None:
        condition = conj(*body)
        if condition is FALSE:
            return
        roots = [condition, *(a for args in assumed for a in args), *(head or ())]
        atoms = list(dict.fromkeys(_atoms(roots)))
        names = {a: f"x{i}" for i, a in enumerate(atoms)}
        printer = Printer(atoms=names)
        texts = printer.print([condition, *(a for args in assumed for a in args), *(head or ())])
        it = iter(texts)
        parts = [next(it)]
        parts += [_application([next(it) for _ in args]) for args in assumed]
        parts += [
            f"(and (<= 0 {names[a]}) (< {names[a]} {len(a.type.cases)}))" for a in atoms if isinstance(a.type, EnumType)
        ]
        parts += [f"(not (and {names[a]} {names[b]}))" for a, b in _exclusive(atoms)]
        parts += [f"(=> (and {names[a]} {names[b]}) {names[c]})" for a, b, c in _transitive(atoms)]
        parts += [printer.print([p])[0] for p in parameters(self.system, atoms)]
        conclusion = _application(list(it)) if head is not None else "false"
        text = f"(=> (and {' '.join(parts)}) {conclusion})"
        variables = " ".join(f"({names[a]} {sort(a.type)})" for a in atoms)
        text = printer.nest(text)
        self.clauses[f"(assert (forall ({variables}) {text}))" if atoms else f"(assert {text})"] = None
        if len(self.clauses) > MAX_CLAUSES:
            raise TooBigError


def _without_nobody(variable: StateVar) -> StateVar:
    """The value of an absent option is some individual, but nobody in particular: it may be a distinguished one."""
    nobody = isinstance(variable.init, Const) and isinstance(variable.type, EntityType) and variable.init.value == ""
    return replace(variable, init=None) if nobody else variable


def _application(arguments: Sequence[str]) -> str:
    return f"(Inv {' '.join(arguments)})" if arguments else "Inv"


def _conjuncts(e: Expr) -> tuple[Expr, ...]:
    return e.args if isinstance(e, Apply) and e.op is Op.AND else (e,)


def _or_true(special: Specialiser, guard: Expr) -> Expr:
    try:
        return special(guard)
    except UnsupportedError:
        return TRUE


def _is_atom(e: Expr) -> bool:
    if isinstance(e, Ref):
        return not isinstance(e.type, (EntityType, MapType))
    if not isinstance(e, Apply):
        return False
    if e.op is Op.SELECT:
        return not isinstance(e.type, EntityType)
    if e.op is Op.EQ and isinstance(e.args[0].type, EntityType):
        return True
    # Predicates of strings and comparisons of strings say nothing about cells, so any truth value will do.
    return e.op is Op.MATCHES or (e.op is Op.EQ and isinstance(e.args[0].type, StringType))


def _atoms(roots: Sequence[Expr]) -> list[Expr]:
    found: list[Expr] = []
    seen: set[Expr] = set()
    stack = list(reversed(roots))
    while stack:
        e = stack.pop()
        if e in seen:
            continue
        seen.add(e)
        if _is_atom(e):
            found.append(e)
        elif isinstance(e, Apply):
            stack.extend(reversed(e.args))
    return found


def _exclusive(atoms: Sequence[Expr]) -> list[tuple[Expr, Expr]]:
    """Pairs of atoms that say of one read that it is this individual, and that one."""
    same = [a for a in _identities(atoms) if isinstance(a.args[1], Const)]
    return [(a, b) for i, a in enumerate(same) for b in same[i + 1 :] if a.args[0] is b.args[0]]


def _transitive(atoms: Sequence[Expr]) -> list[tuple[Expr, Expr, Expr]]:
    """Triples of atoms of which two imply the third."""
    by_ends = {frozenset(a.args): a for a in _identities(atoms)}
    return [
        (a, b, by_ends[rest])
        for ends_a, a in by_ends.items()
        for ends_b, b in by_ends.items()
        if a is not b and len(rest := ends_a ^ ends_b) == 2 and rest in by_ends
    ]


def _identities(atoms: Sequence[Expr]) -> list[Apply]:
    return [a for a in atoms if isinstance(a, Apply) and a.op is Op.EQ and isinstance(a.args[0].type, EntityType)]


def lemmas(problem: Problem, invariant: Expr) -> tuple[Expr, ...]:
    """`invariant`, over the cells of `problem`, for all distinct individuals: the readings worth trying, best first.

    What is said of fewer individuals than are distinguished does not wait for the others to be there: a claim about
    somebody who has a name follows only if what the lemma says of them is not said beside somebody else.
    """
    images: dict[Expr, Expr] = {
        slot: Ref(f"{str(slot.type)[0].lower()}#lemma{i}", slot.type, Space.BOUND)
        for i, slot in enumerate(problem.slots)
    }
    bounds = [b for b in images.values() if isinstance(b, Ref)]
    whole = substitute(invariant, images)
    by_bounds: dict[tuple[Ref, ...], list[Expr]] = {}
    for part in _conjuncts(whole):
        used = set(refs(part))
        by_bounds.setdefault(tuple(b for b in bounds if b in used), []).append(part)
    split = conj(*(_of_distinct(some, problem.named, conj(*parts)) for some, parts in by_bounds.items()))
    mentioned = set(refs(whole))
    together = _of_distinct(tuple(b for b in bounds if b in mentioned), problem.named, whole)
    return tuple(dict.fromkeys((split, together)))


def _of_distinct(bounds: tuple[Ref, ...], named: tuple[Const, ...], body: Expr) -> Expr:
    """`body` for all `bounds` that differ from each other and from whoever is `named`."""
    people: list[Expr] = [*bounds, *named]
    apart = [
        negate(eq(a, b)) for i, a in enumerate(people) for b in people[i + 1 :] if a.type == b.type and a in bounds
    ]
    # Named by their places: what is said of each of two individuals alone is said once.
    own = [Ref(f"{str(b.type)[0].lower()}#lemma{i}", b.type, Space.BOUND) for i, b in enumerate(bounds)]
    result = substitute(implies(conj(*apart), body), dict(zip(bounds, own, strict=True)))
    for bound in reversed(own):
        result = forall(bound, result)
    return result
