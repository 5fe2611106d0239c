"""Playbooks of the Incident Responder: TOML goes in, tables of steps come out, or a clear error that names the field.

What ships is `playbooks.toml` beside this module; a scenario may bring its own. Each kind of alert has one playbook.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulator.observe import RATES

KINDS = ("phishing", "spam", "exfiltration", "sybil", "collusion", "byzantine", "vulnerable_skill", "anomaly")
"""The kinds of alerts, each of which has a playbook."""
MOST_STEPS = 8
LONGEST = 1100
"""No step is looked at later than so many ticks after it was carried out."""
OFTEN = 5
"""What the policy remembers may come about at any time: it is looked at in so many ticks, and then every so many."""

BOT, SKILL, LINK = range(3)
TARGETS = ("bot", "skill", "link")
"""What a step can be done to, in the order of the columns of an incident."""


class Do(IntEnum):
    """What a step can be."""

    NOTHING = 0
    QUARANTINE = 1
    DISABLE_SKILL = 2
    BLOCK_LINK = 3
    LOWER_REPUTATION = 4
    AUDIT = 5
    TIGHTEN = 6
    EMERGENCY = 7
    HUMAN = 8


NOTHING, HUMAN, QUARANTINE = Do.NOTHING.value, Do.HUMAN.value, Do.QUARANTINE.value
WORDS = tuple(d.name.lower() for d in Do)
"""How playbooks call them."""

TARGET_OF = {
    Do.QUARANTINE: BOT,
    Do.DISABLE_SKILL: SKILL,
    Do.BLOCK_LINK: LINK,
    Do.LOWER_REPUTATION: BOT,
    Do.AUDIT: SKILL,
}
"""To what each thing is done; the others are done to nobody in particular."""

FADING = (*RATES, "skill_uses", "skill_complaints", "link_senders", "link_complaints")
"""Counts that fade, of which less must be seen than before."""
STATES = ("disabled", "blocked", "quarantined", "threat_level", "in_emergency", "reputation", "distrust")
"""What the policy remembers: the first five must have come about, the reputation and the trust must have fallen."""
OBSERVABLES = FADING + STATES
OF_BOTS, OF_SKILLS, OF_LINKS = (*RATES, "quarantined", "reputation"), ("disabled", "distrust"), ("blocked",)

_DO = Literal["quarantine", "disable_skill", "block_link", "lower_reputation", "audit", "tighten", "emergency", "human"]
_OTHERWISE = Literal[
    "nothing", "human", "quarantine", "disable_skill", "block_link", "lower_reputation", "tighten", "emergency"
]


class PlaybookError(ValueError):
    """What is wrong with a file of playbooks, a line for each fault, each with its field."""


class Step(BaseModel):
    """One step, as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    do: _DO
    to: Literal["", "bot", "skill", "link"] = ""
    level: int = Field(default=1, ge=0, le=50)
    from_score: float = Field(default=0.0, ge=0.0, le=1.0)
    observe: str = ""
    at_most: float = Field(default=0.0, ge=0.0, le=1.0)
    settle: int = Field(default=0, ge=0, le=100)
    within: int = Field(default=1, ge=1, le=1000)
    otherwise: _OTHERWISE = "human"

    @model_validator(mode="after")
    def _fits(self) -> Step:
        target = TARGET_OF.get(Do[self.do.upper()])
        if self.to != ("" if target is None else TARGETS[target]):
            wanted = "nobody in particular" if target is None else f"a {TARGETS[target]}"
            raise ValueError(f"`to`: `{self.do}` is done to {wanted}")
        if self.do == "human":
            if self.observe:
                raise ValueError("`observe`: a human judges himself whether it helped")
            return self
        if self.observe not in OBSERVABLES:
            raise ValueError(f"`observe`: choose one of {', '.join(OBSERVABLES)}")
        seen = _target_of_observable(self.observe)
        if seen is not None and seen != target:
            raise ValueError(f"`observe`: `{self.observe}` is of a {TARGETS[seen]}, which `{self.do}` is not done to")
        return self


class Playbook(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str = ""
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MOST_STEPS)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    phishing: Playbook
    spam: Playbook
    exfiltration: Playbook
    sybil: Playbook
    collusion: Playbook
    byzantine: Playbook
    vulnerable_skill: Playbook
    anomaly: Playbook


@dataclass(slots=True)
class Plans:
    """All playbooks as tables with a row for each of `KINDS` and a column for each step; plain state, for a run keeps
    to the playbooks that it began with."""

    do: NDArray[np.int8]
    """Numbers of `Do`; the rest of a row is `NOTHING`."""
    level: NDArray[np.int16]
    from_score: NDArray[np.float64]
    observe: NDArray[np.int8]
    """Places in `OBSERVABLES`, -1 for none."""
    at_most: NDArray[np.float64]
    settle: NDArray[np.int16]
    within: NDArray[np.int16]
    otherwise: NDArray[np.int8]
    """Numbers of `Do`; where it is `NOTHING`, the incident does not fall back because of the step."""
    looks: NDArray[np.bool_]
    """Whether something must be looked at so many ticks (the column) after an incident of a kind was contained."""


def shipped() -> str:
    """The playbooks that ship, as text."""
    return (files("simulator.agents") / "playbooks.toml").read_text(encoding="utf-8")


def plans(text: str | None = None) -> Plans:
    """The tables of a TOML file, or of the one that ships. Raises `PlaybookError`."""
    try:
        tree = tomllib.loads(shipped() if text is None else text)
    except tomllib.TOMLDecodeError as error:
        raise PlaybookError(f"this is no TOML: {error}") from None
    return _tables(checked(tree))


def checked(tree: Mapping[str, Any]) -> dict[str, Playbook]:
    """The playbook of each kind. Raises `PlaybookError`."""
    try:
        file = _File.model_validate(tree)
    except ValidationError as error:
        raise PlaybookError("\n".join(_faults(error.errors()))) from None
    return {kind: getattr(file, kind) for kind in KINDS}


def _faults(errors: Sequence[Any]) -> list[str]:
    """All faults in words, but for lists that only lack what is at fault itself."""
    places = [e["loc"] for e in errors]
    inner = [any(len(p) > len(e["loc"]) and p[: len(e["loc"])] == e["loc"] for p in places) for e in errors]
    return [_fault(e) for e, has_inner in zip(errors, inner) if not has_inner]


def _fault(error: Any) -> str:
    """One fault in words: where it is, and what is wrong there."""
    *path, last = error["loc"]
    where = ".".join(str(p + 1) if isinstance(p, int) else str(p) for p in (*path, last))
    match error["type"]:
        case "missing":
            what = f"a playbook for `{last}` is missing" if not path else "is missing"
        case "extra_forbidden":
            what = f"there are no alerts of this kind; there are {', '.join(KINDS)}" if not path else "is no field"
        case "value_error":
            what = str(error["ctx"]["error"])
        case _:
            what = str(error["msg"])
    return f"{where}: {what[:1].lower()}{what[1:]}"


def _tables(books: Mapping[str, Playbook]) -> Plans:
    shape = (len(KINDS), MOST_STEPS)
    found = Plans(
        np.zeros(shape, dtype=np.int8),
        np.zeros(shape, dtype=np.int16),
        np.zeros(shape),
        np.full(shape, -1, dtype=np.int8),
        np.zeros(shape),
        np.zeros(shape, dtype=np.int16),
        np.zeros(shape, dtype=np.int16),
        np.zeros(shape, dtype=np.int8),
        np.zeros((len(KINDS), LONGEST + 1), dtype=np.bool_),
    )
    found.looks[:, : OFTEN + 1] = True
    for row, kind in enumerate(KINDS):
        for column, step in enumerate(books[kind].steps):
            at = row, column
            found.do[at] = Do[step.do.upper()]
            found.level[at] = step.level
            found.from_score[at] = step.from_score
            found.observe[at] = OBSERVABLES.index(step.observe) if step.observe else -1
            found.at_most[at] = step.at_most
            found.settle[at] = step.settle
            found.within[at] = step.settle + step.within
            found.otherwise[at] = Do[step.otherwise.upper()]
            found.looks[row, [step.settle, step.settle + step.within]] = True
    return found


def _target_of_observable(name: str) -> int | None:
    if name in OF_BOTS:
        return BOT
    if name in OF_SKILLS or name.startswith("skill_"):
        return SKILL
    return LINK if name in OF_LINKS or name.startswith("link_") else None
