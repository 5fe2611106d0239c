"""State formulas in the terms of an observer to formulas about numbered individuals, whose past can be kept."""

from __future__ import annotations

from dataclasses import dataclass

from policydsl.check.monitor_patterns import MonitorError
from policydsl.check.monitor_terms import canonical
from policydsl.check.monitor_window import NOW_REF
from policydsl.core.expr import Expr, Ref, Space, free_bounds, refs, substitute
from policydsl.core.types import EntityType


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula `phi` about some of the `observed`; `content` identifies it whatever the individuals are called."""

    phi: Expr
    individuals: tuple[Ref, ...]
    observed: tuple[Expr, ...]

    @property
    def content(self) -> Expr:
        numbers = {e: i for i, e in enumerate(self.observed)}
        return canonical(self.phi, {r: Ref(f"#k{numbers[r]}", r.type, Space.BOUND) for r in self.individuals})

    def at(self, keys: tuple[Ref, ...]) -> Expr:
        """The formula about `keys` instead of the `observed`."""
        where: dict[Expr, Expr] = dict(zip(self.observed, keys, strict=True))
        return substitute(self.phi, {r: where[r] for r in self.individuals})


def abstract(phi: Expr, observed: list[Expr]) -> Formula:
    """Abstract `phi`; individuals that are not among the `observed` yet are added to them."""
    individuals: list[Ref] = []
    for r in (*refs(phi, space=Space.INPUT), *free_bounds(phi)):
        if isinstance(r.type, EntityType):
            individuals.append(r)
            if r not in observed:
                observed.append(r)
        elif r is not NOW_REF:
            raise MonitorError(
                "E553",
                f"the past of a formula is not kept for each value of `{r.name}`",
                "only individuals, the state and `now` may occur in it; or ask for the past of an action",
            )
    return Formula(phi, tuple(individuals), tuple(observed))
