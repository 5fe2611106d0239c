"""A number of rules to rules and requests that every engine understands, and the answers that are right.

A rule permits or forbids a role an action on what lies below a path, for amounts up to some limit, over three of ten
channels. A forbid wins; what no rule permits is denied. Half of the requests are allowed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

ROLES = tuple(f"Role{i}" for i in range(10))
ACTIONS = tuple(f"act{i}" for i in range(10))
CHANNELS = tuple(f"Channel{i}" for i in range(10))
PATHS = tuple(f"/srv/area{i}/" for i in range(10))


@dataclass(frozen=True, slots=True)
class Rule:
    permits: bool
    role: str
    action: str
    path: str
    most: int
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    role: str
    action: str
    path: str
    amount: int
    channel: str


def rules(count: int, chance: random.Random) -> list[Rule]:
    """One in five forbids."""
    return [
        Rule(
            i % 5 != 4,
            chance.choice(ROLES),
            chance.choice(ACTIONS),
            chance.choice(PATHS),
            chance.randrange(100, 1000),
            tuple(sorted(chance.sample(CHANNELS, 3))),
        )
        for i in range(count)
    ]


def requests(count: int, made: list[Rule], chance: random.Random) -> list[Request]:
    """Half of them allowed. Of the others, half are such as some rule is about, but for one thing perhaps."""
    right = indexed(made)
    allowed: list[Request] = []
    denied: list[Request] = []
    half = count // 2
    while len(allowed) < half or len(denied) < count - half:
        r = chance.choice(made)
        near = _about(r, chance) if chance.random() < 0.75 else _any(chance)
        kind, most = (allowed, half) if right(near) else (denied, count - half)
        if len(kind) < most:
            kind.append(near)
    found = allowed + denied
    chance.shuffle(found)
    return found


def _about(r: Rule, chance: random.Random) -> Request:
    """A request that the rule matches, or that differs from such a one in one thing."""
    path, amount, channel = f"{r.path}file{chance.randrange(1000)}", chance.randrange(r.most), chance.choice(r.channels)
    match chance.randrange(8):
        case 0:
            return Request(chance.choice(ROLES), r.action, path, amount, channel)
        case 1:
            return Request(r.role, r.action, path, r.most + 1 + amount, channel)
        case 2:
            return Request(r.role, r.action, path, amount, chance.choice(CHANNELS))
        case 3:
            return Request(r.role, r.action, f"/etc{path}", amount, channel)
        case _:
            return Request(r.role, r.action, path, amount, channel)


def _any(chance: random.Random) -> Request:
    path = f"{chance.choice(PATHS)}file{chance.randrange(1000)}"
    return Request(chance.choice(ROLES), chance.choice(ACTIONS), path, chance.randrange(1200), chance.choice(CHANNELS))


Answer = Callable[[Request], bool]
_Rest = Callable[[str, int, str], bool]


def _rest(r: Rule) -> _Rest:
    path, most, channels = r.path, r.most, frozenset(r.channels)
    return lambda p, a, c: a <= most and c in channels and p.startswith(path)


def indexed(made: list[Rule]) -> Answer:
    """How one would write it by hand, for speed: rules by role and action, then the rest of each."""
    forbids: dict[tuple[str, str], list[_Rest]] = {}
    permits: dict[tuple[str, str], list[_Rest]] = {}
    for r in made:
        (permits if r.permits else forbids).setdefault((r.role, r.action), []).append(_rest(r))

    def allowed(r: Request) -> bool:
        key, path, amount, channel = (r.role, r.action), r.path, r.amount, r.channel
        for f in forbids.get(key, ()):
            if f(path, amount, channel):
                return False
        for f in permits.get(key, ()):  # noqa: SIM110 a generator costs more than the rules
            if f(path, amount, channel):
                return True
        return False

    return allowed


def linear(made: list[Rule]) -> Answer:
    """How one would write it by hand, without a thought: one rule after another."""

    def whole(r: Rule) -> Answer:
        rest, role, action = _rest(r), r.role, r.action
        return lambda q: q.role == role and q.action == action and rest(q.path, q.amount, q.channel)

    forbids = [whole(r) for r in made if not r.permits]
    permits = [whole(r) for r in made if r.permits]

    def allowed(request: Request) -> bool:
        for f in forbids:
            if f(request):
                return False
        for f in permits:  # noqa: SIM110 as above
            if f(request):
                return True
        return False

    return allowed


def policy(made: list[Rule]) -> str:
    """The rules in the policy language."""
    lines = ["module bench", f"enum Role {{ {', '.join(ROLES)} }}", f"enum Channel {{ {', '.join(CHANNELS)} }}"]
    lines += [f"action {a}(role: Role, path: String, amount: Int, channel: Channel)" for a in ACTIONS]
    for i, r in enumerate(made):
        lines.append(
            f"{'permit' if r.permits else 'forbid'} r{i} on {r.action} when role == {r.role} and "
            f'path starts with "{r.path}" and amount <= {r.most} and channel in {{{", ".join(r.channels)}}}'
        )
    return "\n".join([*lines, ""])
