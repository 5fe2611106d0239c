"""What a host says is about to happen, in the same words whichever host it is; and the answer to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.decision import Decision, Duty


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a host wants to make.

    - `tool`: the name of what is called; `arguments`: what it is called with.
    - `id` names the call: the host asks about the same one again with the same `id`. "" when it has no name.
    - `session`, `agent`, `user`: the conversation it is made in, who makes it, and for whom; "" when the host does not
      say. Nobody has proved these to us: the host is believed, and a policy that depends on one denies "".
    - `context`: whatever else the host says.
    - `result`: what the call gave back, once it was made.
    """

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    session: str = ""
    agent: str = ""
    user: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the host has to do.

    `effect` is "allow", "deny" or "ask": a person has to answer first, who finds the question under `ticket`.
    `code` is one of `runtime.decision.Code`, or one that begins with `mapping.`. `arguments` are those that the call
    has to be made with instead, None when they stay. `duties` are what the host has to do beside,
    and whoever does not know how has to deny. `decisions` is what the policy said, in the order of the requests.
    """

    effect: str
    code: str
    reason: str = ""
    ticket: str = ""
    arguments: Mapping[str, Any] | None = None
    duties: tuple[Duty, ...] = ()
    decisions: tuple[Decision, ...] = ()

    @property
    def allowed(self) -> bool:
        return self.effect == "allow"

    @property
    def plain(self) -> bool:
        """Whether the call may be made as it is, with nothing else to do: all that some hosts understand."""
        return self.effect == "allow" and self.arguments is None and not self.duties
