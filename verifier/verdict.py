"""What the verifier answers: `Proved | Refuted | Unknown`, never a Boolean, never None."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import TypeAlias

from policydsl.core.expr import Expr
from policydsl.core.system import Property
from policydsl.trace import Trace


@dataclass(frozen=True, slots=True)
class Proved:
    """Discharged by two solvers, for any number of individuals and steps.

    `how` is a short text for people ("1-inductive", "1-inductive + 2 lemmas found"); `uses` names the properties it
    rests on; `lemmas` are what was found beside, as closed formulas over the state.
    """

    how: str
    uses: tuple[str, ...] = ()
    lemmas: tuple[Expr, ...] = ()
    guards: tuple[str, ...] = ()  # guards without which the proof does not go through, when asked for
    assumptions: tuple[str, ...] = ()  # stated beside the proof: "time goes on", "`close` is weakly fair"


@dataclass(frozen=True, slots=True)
class Refuted:
    """A run that breaks the property, replayed in the reference interpreter. `at` is the first bad step, 1-based.

    `reason` is for leads-to properties, which no finite run breaks: why nothing that comes after helps.
    """

    trace: Trace
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """For `reachable`: a run that gets there, replayed. For such a property this is the good answer."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Unknown:
    """Neither. `reason` says what was tried; `cti` is a step that leaves the property, from a state that may be
    unreachable: a candidate lemma, not a bug."""

    reason: str
    cti: Trace | None = None


Verdict: TypeAlias = Proved | Refuted | Witnessed | Unknown


@dataclass(frozen=True, slots=True)
class Outcome:
    """One property with its verdict. For `reachable`, Witnessed counts as proved, and Proved means unreachable."""

    property: Property
    verdict: Verdict
    cached: bool = False

    @builtins.property
    def status(self) -> str:
        """`proved`, `refuted` or `unknown`, in the sense in which a spec writes `expect`."""
        match self.verdict:
            case Proved():
                return "refuted" if self.property.kind.value == "reachable" else "proved"
            case Witnessed():
                return "proved"
            case Refuted():
                return "refuted"
            case Unknown():
                return "unknown"

    @builtins.property
    def as_expected(self) -> bool:
        return self.status == self.property.expected.value


@dataclass(frozen=True, slots=True)
class Vacuity:
    """Something that never matters: a rule that decides nothing, an action that cannot happen, an antecedent that never
    holds. `certain` tells a proof from a search that found no witness within its depth."""

    subject: str  # "action `close`", "rule `phishing` on `send_message`", "antecedent of `executed_had_quorum`"
    text: str
    certain: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """All that is known about one system."""

    system_name: str
    digest: str
    outcomes: tuple[Outcome, ...]
    vacuities: tuple[Vacuity, ...] = ()
