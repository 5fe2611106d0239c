"""Decisions to JSON values and back: what a key remembers, and what hosts are told."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from policydsl.core.read_json import Reader
from runtime.decision import Basis, Code, Decision, Duty, Rule

_FIELDS = tuple(f.name for f in fields(Decision))


def to_data(d: Decision) -> dict[str, Any]:
    """`d` as JSON values; `from_data` reads them back."""
    b = d.basis
    return {
        "effect": d.effect,
        "code": d.code.value,
        "reason": d.reason,
        "rules": [{"name": r.name, "place": r.place} for r in d.rules],
        "obligations": [{"name": o.name, "args": list(o.args)} for o in d.obligations],
        "transform": dict(d.transform),
        "basis": None
        if b is None
        else {"system": b.system, "policy": b.policy, "certificate": b.certificate, "verified": b.verified},
        "ticket": d.ticket,
        "serial": d.serial,
        "shadow": d.shadow,
        "repeated": d.repeated,
    }


def from_data(data: object) -> Decision:
    """The decision that `to_data` made `data` of; raises `MalformedError` for anything else."""
    r = Reader(data)
    r.fields(*_FIELDS)
    b = r["basis"]
    basis = None
    if b.value is not None:
        verified = b["verified"].any_scalar() is True
        basis = Basis(b["system"].text(), b["policy"].text(), b["certificate"].text(), verified)
    return Decision(
        r["effect"].one_of(("allow", "deny", "approve")),
        Code(r["code"].one_of(tuple(c.value for c in Code))),
        r["reason"].text(),
        tuple(Rule(x["name"].text(), x["place"].text()) for x in r["rules"].items()),
        tuple(
            Duty(x["name"].text(), tuple(a.any_scalar() for a in x["args"].items())) for x in r["obligations"].items()
        ),
        tuple((n, r["transform"][n].any_scalar()) for n in r["transform"].names()),
        basis,
        r["ticket"].text(),
        r["serial"].whole(),
        r["shadow"].any_scalar() is True,
        r["repeated"].any_scalar() is True,
    )
