"""Rules to one function per engine, each from a request to whether it is allowed: other people's engines, and ours.

A request is plain Python data when it comes; to make the engine's own request object of it is part of the decision. The
rules are prepared before. An engine that cannot be imported, or that cannot be given the rules, raises.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peers.workload import Answer, Request, Rule, indexed, linear, policy

if TYPE_CHECKING:
    from policyctl.embed import Enforcer


@dataclass(frozen=True, slots=True)
class Engine:
    """`package` is where it comes from; nothing for ours and for what is written by hand."""

    name: str
    package: str
    prepare: Callable[[list[Rule]], Answer]


def cedar(made: list[Rule]) -> Answer:
    """With handles: policies and entities are parsed once."""
    import cedarpy

    texts = []
    for r in made:
        among = json.dumps(r.channels)
        texts.append(
            f"{'permit' if r.permits else 'forbid'} "
            f'(principal == Role::"{r.role}", action == Action::"{r.action}", resource) when '
            f'{{ context.path like "{r.path}*" && context.amount <= {r.most} && {among}.contains(context.channel) }};'
        )
    policies = cedarpy.PolicySet.from_str("\n".join(texts))
    entities = cedarpy.Entities.from_json_str("[]")

    def allowed(q: Request) -> bool:
        request = {
            "principal": f'Role::"{q.role}"',
            "action": f'Action::"{q.action}"',
            "resource": 'Thing::"it"',
            "context": {"path": q.path, "amount": q.amount, "channel": q.channel},
        }
        return bool(cedarpy.is_authorized(request, policies, entities).allowed)

    return allowed


CASBIN_MODEL = r"""
[request_definition]
r = role, act, path, amount, channel
[policy_definition]
p = role, act, path, most, channels, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.role == p.role && r.act == p.act && keyMatch(r.path, p.path) && at_most(r.amount, p.most) && \
  r.channel in p.channels
"""


def casbin(made: list[Rule], by: tuple[int, ...] = ()) -> Answer:
    import casbin as engine
    from casbin.model import FastModel

    model = FastModel(by) if by else engine.Model()
    model.load_model_from_text(CASBIN_MODEL)
    enforcer = engine.FastEnforcer(model, cache_key_order=by) if by else engine.Enforcer(model)
    enforcer.add_function("at_most", lambda amount, most: amount <= int(most))
    for r in made:
        effect = "allow" if r.permits else "deny"
        enforcer.add_policy(r.role, r.action, f"{r.path}*", str(r.most), "|".join(r.channels), effect)
    return lambda q: bool(enforcer.enforce(q.role, q.action, q.path, q.amount, q.channel))


def casbin_by_role(made: list[Rule]) -> Answer:
    """Its faster enforcer, with the rules kept by role and action."""
    return casbin(made, (0, 1))


def vakt(made: list[Rule]) -> Answer:
    import vakt as engine
    from vakt.rules import Eq, In, LessOrEqual, StartsWith

    storage = engine.MemoryStorage()
    for i, r in enumerate(made):
        storage.add(
            engine.Policy(
                i,
                effect=engine.ALLOW_ACCESS if r.permits else engine.DENY_ACCESS,
                subjects=[Eq(r.role)],
                actions=[Eq(r.action)],
                resources=[StartsWith(r.path)],
                context={"amount": LessOrEqual(r.most), "channel": In(*r.channels)},
            )
        )
    guard = engine.Guard(storage, engine.RulesChecker())

    def allowed(q: Request) -> bool:
        context = {"amount": q.amount, "channel": q.channel}
        inquiry = engine.Inquiry(subject=q.role, action=q.action, resource=q.path, context=context)
        return bool(guard.is_allowed(inquiry))

    return allowed


REGO_INPUT = """
input.role == {role}
input.action == {action}
startswith(input.path, {path})
input.amount <= {most}
"""
REGO_VERDICT = """
default allow := false
allow if { permitted; not forbidden }
"""


def _rego(module: str, data: Any) -> Answer:
    from regopy import Input, Interpreter

    rego = Interpreter()
    rego.add_module("bench", module)
    if data is not None:
        rego.add_data(data)
    bundle = rego.build(None, ["bench/allow"])
    if not bundle.ok():
        raise RuntimeError("regopy did not compile the rules")

    def allowed(q: Request) -> bool:
        given = {"role": q.role, "action": q.action, "path": q.path, "amount": q.amount, "channel": q.channel}
        rego.set_input(Input(given))
        return rego.query_bundle_entrypoint(bundle, "bench/allow")[0].expressions[0] is True

    return allowed


def rego_rules(made: list[Rule]) -> Answer:
    """A rule of Rego for each rule."""
    texts = ["package bench", REGO_VERDICT, "default permitted := false", "default forbidden := false"]
    for r in made:
        words = {k: json.dumps(getattr(r, k)) for k in ("role", "action", "path", "most")}
        among = f"input.channel in {{{', '.join(map(json.dumps, r.channels))}}}"
        head = "permitted" if r.permits else "forbidden"
        texts.append(f"{head} if {{ {REGO_INPUT.format(**words)}{among} }}")
    return _rego("\n".join(texts), None)


def rego_data(made: list[Rule]) -> Answer:
    """The rules as data, found by role and action; two rules of Rego go through them."""
    data: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for r in made:
        kind = data.setdefault("permits" if r.permits else "forbids", {})
        kept = {"path": r.path, "most": r.most, "channels": list(r.channels)}
        kind.setdefault(f"{r.role}/{r.action}", []).append(kept)
    texts = ["package bench", REGO_VERDICT, "default permitted := false", "default forbidden := false"]
    for head, kind_name in (("permitted", "permits"), ("forbidden", "forbids")):
        texts.append(
            f'{head} if {{ some r in data.{kind_name}[concat("/", [input.role, input.action])] \n '
            "startswith(input.path, r.path) \n input.amount <= r.most \n input.channel in r.channels }"
        )
    return _rego("\n".join(texts), {"permits": {}, "forbids": {}, **data})


def bundle(text: str) -> bytes:
    """A policy in text as a bundle, of which nothing is proved."""
    from policydsl.diagnostics import Report
    from policydsl.load import load
    from runtime.bundle import build

    (program,) = load(["bench.policy"], lambda _: text, Report())
    return build([(program.system, "")])


def opened(text: str) -> Enforcer:
    """Our enforcer for a policy in text, with its state in memory."""
    from policyctl.embed import Enforcer

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.bundle"
        path.write_bytes(bundle(text))
        enforcer = Enforcer.open(path, "memory:", unproved=True)
    if enforcer.fault is not None:
        raise RuntimeError(enforcer.fault[1])
    return enforcer


def enforcer(made: list[Rule]) -> Answer:
    decide = opened(policy(made)).decide
    return lambda q: decide(q.action, role=q.role, path=q.path, amount=q.amount, channel=q.channel).allowed


def machine(made: list[Rule]) -> Answer:
    """The compiled policy without the enforcer around it: no lock, no clock, nobody to ask."""
    policies = opened(policy(made)).policies
    assert policies is not None
    steps = policies.running[0].machine.steps

    def allowed(q: Request) -> bool:
        given = {"role": q.role, "path": q.path, "amount": q.amount, "channel": q.channel}
        return steps[q.action](given, 0, {})[0].effect == "allow"

    return allowed


ENGINES = (
    Engine("closures, by role and action", "", indexed),
    Engine("closures, one after another", "", linear),
    Engine("policyctl, the machine alone", "", machine),
    Engine("policyctl", "", enforcer),
    Engine("vakt", "vakt", vakt),
    Engine("cedarpy, prepared", "cedarpy", cedar),
    Engine("casbin", "casbin", casbin),
    Engine("casbin, FastEnforcer", "casbin", casbin_by_role),
    Engine("regopy, rules", "regopy", rego_rules),
    Engine("regopy, rules as data", "regopy", rego_data),
)
