"""Intelligence from outside: a feed in TOML or JSON goes in, what somebody else holds to be bad comes out, checked.

The words are those of STIX 2.1, with numbers of the twin for observables and ticks for times. A feed may be wrong.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Known(BaseModel):
    """What a feed says of a bot, a skill or a link."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    subject: Literal["bot", "skill", "link"]
    number: int = Field(ge=0)
    confidence: int = Field(ge=0, le=100)
    """How sure the source is."""
    valid_from: int = Field(default=0, ge=-100_000_000)
    """The tick since which it is known, and from which on it grows old; below 0 for what is old when the run begins."""
    valid_until: int = Field(default=100_000_000, le=100_000_000)
    """The first tick at which it is no longer said."""

    @model_validator(mode="after")
    def _ends_later(self) -> Known:
        if self.valid_until <= self.valid_from:
            raise ValueError(f"@valid_until@ends at tick {self.valid_until}, but begins at tick {self.valid_from}")
        return self


def read(path: str) -> Any:
    """The indicators of a feed in a file, as plain data. Raises `ValueError`."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        found = json.loads(text) if path.endswith(".json") else tomllib.loads(text)
    except OSError as error:
        raise ValueError(f"`{path}` cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"`{path}` is neither TOML nor, with a name that ends in `.json`, JSON: {error}") from None
    if not isinstance(found, dict) or found.keys() != {"indicator"}:
        raise ValueError(f"`{path}` is no feed: it has a list `indicator`, and nothing else")
    return found["indicator"]


def _named(value: Any) -> Any:
    return read(value) if isinstance(value, str) else value


Feed = Annotated[
    tuple[Known, ...], BeforeValidator(_named, json_schema_input_type=str | list[Known]), Field(strict=False)
]
"""Indicators, or the name of a file with them, which is read once: a record has what it said."""
