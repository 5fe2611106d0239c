"""What the meta layer watches: requests of ticks, and what the gateway sees, go in, figures to judge by come out.

Nothing here knows who is malicious: whether a proposal did good is what people said of it.
"""

from __future__ import annotations

import numpy as np

from simulator.gateway import Gateway
from simulator.layers.community import Progress
from simulator.layers.meta import BUSY, Figures, Meta
from simulator.observe import Observed
from simulator.surroundings import Surroundings

TOO_MANY = "too many messages"
UNTRUSTED = "the skill is not trusted"
"""Reasons of the policy ..."""
LOWEST, HIGHEST = 0, 1000
"""... and its bounds of reputation."""


def watch(meta: Meta, gateway: Gateway, around: Surroundings, progress: Progress) -> None:
    """What happened in a tick."""
    meta.approved += progress.approved
    meta.defeated += progress.defeated
    meta.good += progress.judged_good
    meta.bad += progress.judged_bad
    if len(meta.limited) < len(around.everybody):
        meta.limited = np.concatenate([meta.limited, np.zeros(len(around.everybody) - len(meta.limited), np.bool_)])
    for asked in gateway.of_tick("use_skill"):
        meta.used += asked.size
        meta.untrusted += int(np.count_nonzero(asked.answers.guard == gateway.guard("use_skill", UNTRUSTED)))
    if around.alertness:
        return
    for asked in gateway.of_tick("send"):
        denied = np.flatnonzero(asked.answers.guard == gateway.guard("send", TOO_MANY))
        meta.limited[asked.column("principal")[denied]] = True


def figures(meta: Meta, seen: Observed, gateway: Gateway, members: int) -> Figures:
    """Over the window that ends now."""
    messages, uses = float(seen.rate("messages").sum()), float(seen.skill_uses.sum())
    reputation = gateway.read("reputation")[:members]
    return Figures(
        meta.approved,
        meta.defeated,
        meta.good,
        meta.bad,
        float(np.count_nonzero(meta.limited)) / members,
        float(np.median(gateway.read("sent")[:members])),
        float(seen.rate("complaints").sum()) / messages if messages >= BUSY else 0.0,
        float(seen.skill_complaints.sum()) / uses if uses >= BUSY else 0.0,
        meta.untrusted / meta.used if meta.used >= BUSY else 0.0,
        float(np.count_nonzero(reputation >= HIGHEST)) / members,
        float(np.count_nonzero(reputation <= LOWEST)) / members,
    )
