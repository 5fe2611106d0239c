"""How calls become requests of a policy: TOML goes in, a checked `Mapping` comes out.

NOTE(mapping): every entry that names a call is asked, and all of them have to allow it. A call that no entry names is
denied. So adding an entry can only ever deny more.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hosts.paths import steps

SHIPPED = Path(__file__).parent / "maps"


class MappingError(ValueError):
    """What is wrong with a mapping: for each fault its place in the file, and what is wrong there."""

    def __init__(self, faults: Iterable[tuple[str, str]], where: str) -> None:
        self.faults = tuple(faults)
        self.where = where
        super().__init__(
            "; ".join(f"{where}: {place}: {text}" if place else f"{where}: {text}" for place, text in self.faults)
        )


def _path(value: Any) -> Any:
    if isinstance(value, str):
        steps(value)
    return value


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Path_: TypeAlias = Annotated[str, BeforeValidator(_path)]
Names: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_several), Field(min_length=1, strict=False)]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class From(Part):
    """An input of a request that stands somewhere in the call."""

    at: Path_
    """Where."""
    optional: bool = False
    """If there is nothing, the input is none; without this, the call is denied."""
    default: Any = None
    """What the input is if there is nothing."""
    as_: Literal["json", "text", "path", "host", "lower", "digest", "length", "time"] | None = Field(None, alias="as")
    """How it is read; without this, it is taken as it is."""
    within: Path_ | None = None
    """What a relative `path` is relative to."""
    times: int | None = Field(None, ge=1)
    """Numbers are multiplied by this: policies know whole numbers only."""

    @model_validator(mode="after")
    def _one_thing(self) -> From:
        if self.as_ is not None and self.times is not None:
            raise ValueError("`as` and `times` exclude each other")
        if self.within is not None and self.as_ != "path":
            raise ValueError('`within` goes with `as = "path"`')
        if self.optional and self.default is not None:
            raise ValueError("what is `optional` has no `default`")
        return self


class Each(Part):
    """Many of something in a call: a request is made for each."""

    in_: Path_ = Field(alias="in")
    """A list, or a single thing; nothing there is none of them."""
    find: str | None = None
    """A regular expression: what of the text in there matches it."""

    @model_validator(mode="after")
    def _is_regular(self) -> Each:
        try:
            re.compile(self.find or "")
        except re.error as error:
            raise ValueError(f"`find` is no regular expression: {error}") from error
        return self


class Always(Part):
    """An input of a request that is the same for all calls."""

    value: bool | int | str | list[str]


def _source(value: Any) -> Any:
    """What is written for an input: a text that begins with `$` is a path, and `$$` at its beginning means `$`."""
    match value:
        case str() if value.startswith("$") and not value.startswith("$$"):
            return From.model_validate({"at": value})
        case dict():
            return From.model_validate(value)
        case str():
            return Always(value=value.removeprefix("$") if value.startswith("$$") else value)
        case _:
            return Always.model_validate({"value": value})


Source: TypeAlias = Annotated[From | Always, BeforeValidator(_source)]


def _each(value: Any) -> Any:
    return {"in": value} if isinstance(value, str) else value


class Entry(Part):
    """What is asked about some calls."""

    of: Names
    """Names of what is called; `*` stands for any characters."""
    where: dict[str, bool | int | str | list[bool | int | str]] = {}
    """Only calls that have these values at these paths, or one of them."""
    action: str | None = None
    """The action of the policy that is asked."""
    inputs: dict[str, Source] = {}
    """Its inputs."""
    each: Annotated[Each | None, BeforeValidator(_each)] = None
    """A request for each of many things."""
    unasked: str | None = None
    """Nothing is asked, and the call is allowed: why."""

    @model_validator(mode="after")
    def _is_whole(self) -> Entry:
        if (self.action is None) == (self.unasked is None):
            raise ValueError("an entry has either an `action`, or says why the call is `unasked`")
        if self.unasked is not None and (self.inputs or self.each):
            raise ValueError("what is `unasked` has no inputs")
        for path in self.where:
            steps(path)
        return self

    def names(self, tool: str) -> bool:
        """Whether calls of `tool` are meant."""
        return any(fnmatchcase(tool, name) for name in self.of)


class Mapping(Part):
    """The calls of a host, as requests."""

    host: str = ""
    """Whose calls these are."""
    policy: str = ""
    """The policy whose actions these are, where a bundle has several."""
    call: tuple[Entry, ...] = Field(default=(), strict=False)
    """What is asked before a call is made."""
    result: tuple[Entry, ...] = Field(default=(), strict=False)
    """What is told when a call has come back."""

    def named(self, action: str) -> str:
        """The name under which the enforcer knows an action."""
        return f"{self.policy}.{action}" if self.policy else action


def read(text: str, where: str) -> Mapping:
    """The mapping in a TOML text. Raises `MappingError` with all that is wrong; `where` is its file."""
    try:
        return Mapping.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MappingError([("", f"this is no TOML: {error}")], where) from error
    except ValidationError as error:
        faults = {(_place(e["loc"]), _words(e)): None for e in error.errors()}
        raise MappingError(faults, where) from error


def _place(at: tuple[int | str, ...]) -> str:
    """`[[call]] 2 of the file, inputs.text`, counted from 1."""
    match at:
        case ("call" | "result" as table, int(number), *rest):
            inner = ".".join(str(r) for r in rest)
            return f"[[{table}]] {number + 1}" + (f", {inner}" if inner else "")
        case _:
            return ".".join(map(str, at))


def _words(error: Any) -> str:
    text: str = error["msg"]
    if error["type"] == "extra_forbidden":
        return "there is no such field"
    return text.removeprefix("Value error, ")
