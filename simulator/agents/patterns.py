"""Patterns of attacks, as data: TOML and columns of what was seen go in, how well each pattern matches comes out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
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

SEEN = {
    Subject.BOT: frozenset(
        (
            *ROWS,
            *(f"{name}_beyond" for name in ROWS),
            *(f"{e.of}_excess" for e in EXCESSES),
            *(f"{e.of}_share" for e in EXCESSES),
            *("bad_links", "cohort", "inside", "inside_lift", "circle", "circle_lift", "dissenting", "partners"),
            *("shift", "standing", "age"),
        )
    ),
    Subject.SKILL: frozenset(("uses", "complaints", "share", "excess", "uses_beyond")),
    Subject.LINK: frozenset(("uses", "complaints", "share", "excess", "uses_beyond")),
}
"""What a pattern of each subject may look at."""

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


def match(pattern: Pattern, seen: Mapping[str, Floats]) -> Floats:
    """How well each of the columns matches, from 0 to 1."""
    found = _ramp(pattern.all[0], seen)
    for condition in pattern.all[1:]:
        np.minimum(found, _ramp(condition, seen), out=found)
    if pattern.any and found.any():
        support = _ramp(pattern.any[0], seen)
        for condition in pattern.any[1:]:
            np.maximum(support, _ramp(condition, seen), out=support)
        found *= pattern.alone + (1.0 - pattern.alone) * support
    return found


def _ramp(condition: Condition, seen: Mapping[str, Floats]) -> Floats:
    # Not `clip`: on a few dozen values it costs as much as all the rest.
    found = (seen[condition.see] - condition.low) / (condition.high - condition.low)
    np.maximum(found, 0.0, out=found)
    np.minimum(found, 1.0, out=found)
    return found
