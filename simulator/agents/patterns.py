"""Patterns of attacks, as data: TOML and columns of what was seen go in, how well each pattern matches comes out."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulator.agents.base import Subject
from simulator.agents.detectors import EXCESSES, ROWS

Floats = NDArray[np.float64]

KINDS = (
    "phishing", "spam", "exfiltration", "sybil", "collusion", "byzantine", "vulnerable_skill", "anomaly"
)  # fmt: skip
"""What the others of the seven know how to answer."""

OF_THINGS = ("uses", "complaints", "share", "excess", "uses_beyond")
OF_BOTS = (
    *("bad_links", "cohort", "inside", "inside_lift", "circle", "circle_lift", "dissenting", "bloc", "partners"),
    *("twins", "twins_lift", "shift", "standing", "age"),
)
SEEN = {
    Subject.BOT: (
        *ROWS,
        *(f"{name}_beyond" for name in ROWS),
        *(f"{e.of}_excess" for e in EXCESSES),
        *(f"{e.of}_share" for e in EXCESSES),
        *OF_BOTS,
    ),
    Subject.SKILL: OF_THINGS,
    Subject.LINK: OF_THINGS,
}
"""What a pattern of each subject may look at: the rows of what is matched, in this order."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class PatternError(ValueError):
    """The patterns are not as they should be; the text says where."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Condition(_Data):
    """Holds from 0 at `low` (`from` in the file) to 1 at `high` (`to`)."""

    see: str
    low: float = Field(alias="from")
    high: float = Field(alias="to")

    @model_validator(mode="after")
    def _differ(self) -> Condition:
        if self.low == self.high:
            raise ValueError("`from` and `to` are the same")
        return self


class Pattern(_Data):
    name: str = Field(min_length=1)
    kind: str
    """What it is called in an alert."""
    subject: Annotated[Subject, Field(strict=False)]
    says: str = Field(min_length=1)
    """In words, for people: what the bot (the link, the skill) does."""
    all: Annotated[tuple[Condition, ...], Field(min_length=1, strict=False)]
    any: Annotated[tuple[Condition, ...], Field(strict=False)] = ()
    alone: Share = 1.0
    """What a match counts for without any of `any`."""

    @model_validator(mode="after")
    def _known(self) -> Pattern:
        if self.kind not in KINDS:
            raise ValueError(f"`{self.kind}` is no kind of attack; there are {', '.join(KINDS)}")
        for condition in (*self.all, *self.any):
            if condition.see not in SEEN[self.subject]:
                raise ValueError(f"`{condition.see}` cannot be seen of a {self.subject.value}")
        if not self.any and self.alone != 1.0:
            raise ValueError("`alone` says nothing where there is no `any`")
        return self


class Patterns(_Data):
    pattern: Annotated[tuple[Pattern, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _named_once(self) -> Patterns:
        names = [p.name for p in self.pattern]
        if len(set(names)) != len(names):
            raise ValueError("two patterns have one name")
        return self

    def of(self, subject: Subject) -> tuple[Pattern, ...]:
        return tuple(p for p in self.pattern if p.subject is subject)


def read(text: str) -> Patterns:
    """The patterns of a TOML document. Raises `PatternError`."""
    try:
        return Patterns.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise PatternError(str(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PatternError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None


@cache
def shipped() -> Patterns:
    """The patterns beside this module."""
    return read(resources.files(__package__).joinpath("patterns.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Table:
    """The patterns of one subject, laid out to be matched all at once."""

    patterns: tuple[Pattern, ...]
    rows: NDArray[np.int64]
    """What each condition sees: those of `all` first, pattern by pattern, and then those of `any`."""
    low: Floats
    height: Floats
    alls: NDArray[np.int64]
    """Where the conditions of each pattern begin."""
    anys: NDArray[np.int64]
    supported: NDArray[np.int64]
    """The patterns that have an `any`."""
    alone: Floats
    looks: tuple[tuple[tuple[str, int], ...], ...]
    """What each pattern looks at, and in which row that is."""


@cache
def shipped_table(subject: Subject) -> Table:
    return table(shipped(), subject)


def table(known: Patterns, subject: Subject) -> Table:
    own = known.of(subject)
    supported = [i for i, p in enumerate(own) if p.any]
    conditions = [c for p in own for c in p.all] + [c for i in supported for c in own[i].any]
    ends = np.cumsum([0, *(len(p.all) for p in own), *(len(own[i].any) for i in supported)])
    low = np.array([c.low for c in conditions])
    return Table(
        own,
        np.array([SEEN[subject].index(c.see) for c in conditions], dtype=np.int64),
        low[:, None],
        np.array([c.high for c in conditions])[:, None] - low[:, None],
        ends[: len(own)],
        ends[len(own) : -1],
        np.array(supported, dtype=np.int64),
        np.array([[own[i].alone] for i in supported]).reshape(-1, 1),
        tuple(
            tuple((see, SEEN[subject].index(see)) for see in dict.fromkeys(c.see for c in (*p.all, *p.any)))
            for p in own
        ),
    )


def match(known: Table, seen: Floats) -> Floats:
    """How well each pattern (a row) matches each column of what was seen, from 0 to 1."""
    ramps = (seen[known.rows] - known.low) / known.height
    # Not `clip`: on a few dozen values it costs as much as all the rest.
    np.maximum(ramps, 0.0, out=ramps)
    np.minimum(ramps, 1.0, out=ramps)
    # A row of `all` ends where the next one begins, and the last of them where those of `any` begin.
    split = known.anys[0] if known.anys.size else len(ramps)
    found: Floats = np.minimum.reduceat(ramps[:split], known.alls, axis=0)
    if known.anys.size:
        support = np.maximum.reduceat(ramps[split:], known.anys - split, axis=0)
        found[known.supported] *= known.alone + (1.0 - known.alone) * support
    return found
