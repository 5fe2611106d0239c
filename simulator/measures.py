"""The columns of a run: for each thing that is measured in every tick its unit, how ticks add up, and what it means.

The engine fills exactly these. Those with hindsight compare with who is really malicious, which no agent ever sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIRST_HARM = "first_harm"
"""The kind of happening that notes, with hindsight, the first harmful act of an attacker or of a malicious skill.

Its `who` is `hindsight`; `subject` and `number` say who it was. From it to the first alarm about the same is the time
of detection. Agents do not see happenings of others, and none can see these."""

HINDSIGHT = "hindsight"
SABOTAGE = "sabotage"
"""The kind of happening that notes, with hindsight, that what was proved or audited was exchanged."""


class Over(Enum):
    """How the numbers of many ticks become one."""

    SUM = "sum"
    MEAN = "mean"
    LAST = "last"
    MOST = "most"


@dataclass(frozen=True, slots=True)
class Measure:
    name: str
    unit: str
    over: Over
    meaning: str
    hindsight: bool = False


MEASURES: tuple[Measure, ...] = (
    Measure("messages", "messages", Over.SUM, "messages that bots asked to send"),
    Measure("delivered", "messages", Over.SUM, "messages that arrived"),
    Measure("denied", "requests", Over.SUM, "requests that the enforcer denied, of any kind"),
    Measure("harmful_delivered", "requests", Over.SUM, "harmful acts that the enforcer allowed", True),
    Measure("harmful_denied", "requests", Over.SUM, "harmful acts that the enforcer denied", True),
    Measure(
        "honest_denied", "requests", Over.SUM, "requests of honest bots, without harm in them, that it denied", True
    ),
    Measure("service_asked", "requests", Over.SUM, "services that honest bots asked of each other", True),
    Measure("service_kept", "requests", Over.SUM, "those of them that were answered, and rightly", True),
    Measure("compromised", "bots", Over.LAST, "honest bots that an attacker controls", True),
    Measure("quarantined", "bots", Over.LAST, "bots in quarantine"),
    Measure("quarantined_honest", "bots", Over.LAST, "those of them that are honest", True),
    Measure("malicious_active", "bots", Over.LAST, "malicious bots that are not in quarantine", True),
    Measure("alarms", "alarms", Over.SUM, "alarms raised about a bot, a skill or a link"),
    Measure("alarms_false", "alarms", Over.SUM, "those of them about what is harmless", True),
    Measure("incidents_opened", "incidents", Over.SUM, "incidents opened"),
    Measure("incidents_closed", "incidents", Over.SUM, "incidents closed"),
    Measure("incidents_open", "incidents", Over.LAST, "incidents that are open"),
    Measure("proposals_submitted", "proposals", Over.SUM, "proposals submitted"),
    Measure("proposals_open", "proposals", Over.LAST, "proposals on which voting is open"),
    Measure("executed", "proposals", Over.SUM, "proposals executed"),
    Measure("defeated", "proposals", Over.SUM, "proposals defeated"),
    Measure("good_executed", "proposals", Over.SUM, "executed proposals that do good", True),
    Measure("bad_executed", "proposals", Over.SUM, "executed proposals that do harm", True),
    Measure("votes", "votes", Over.SUM, "votes counted"),
    Measure("signals", "signals", Over.SUM, "signals given"),
    Measure("demand", "tasks", Over.SUM, "tasks that somebody had to take up"),
    Measure("demand_served", "tasks", Over.SUM, "those of them that were taken up in time"),
    Measure("consensus_decisions", "decisions", Over.SUM, "decisions of the committee"),
    Measure("consensus_ms", "ms", Over.SUM, "time that these decisions took, added up"),
    Measure("consensus_violations", "decisions", Over.SUM, "decisions on which honest members differ: none, ever"),
    Measure("threat_level", "level", Over.MEAN, "threat level, from 0 to 3"),
    Measure("lockdown", "ticks", Over.SUM, "1 while the gateway is locked down"),
    Measure("emergency", "ticks", Over.SUM, "1 while an emergency is declared"),
    Measure("reputation_honest", "points", Over.LAST, "mean reputation of honest bots", True),
    Measure("reputation_malicious", "points", Over.LAST, "mean reputation of malicious bots", True),
    Measure(
        "reputation_auc",
        "",
        Over.LAST,
        "chance that an honest bot drawn at random has more reputation than a malicious one (ties count half)",
        True,
    ),
    Measure("skills_live", "skills", Over.LAST, "skills that can be used"),
    Measure("skills_malicious_live", "skills", Over.LAST, "those of them that are malicious or vulnerable", True),
    Measure("skill_uses", "uses", Over.SUM, "uses of skills that were allowed"),
    Measure("secrets_leaked", "secrets", Over.SUM, "secrets that got out", True),
    Measure("members", "bots", Over.LAST, "members of the ecosystem"),
    Measure("amendments", "amendments", Over.SUM, "parameter changes that came into force"),
)

NAMES = tuple(m.name for m in MEASURES)
BY_NAME: Mapping[str, Measure] = {m.name: m for m in MEASURES}

Columns = Mapping[str, NDArray[np.float64]]


def row(measures: Mapping[str, float]) -> NDArray[np.float64]:
    """The measures of a tick in the order of `MEASURES`. Raises `ValueError` unless they are exactly these."""
    if measures.keys() != BY_NAME.keys():
        missing, unknown = BY_NAME.keys() - measures.keys(), measures.keys() - BY_NAME.keys()
        raise ValueError(f"measures missing: {sorted(missing)}; unknown: {sorted(unknown)}")
    return np.array([measures[n] for n in NAMES], dtype=np.float64)


def columns(rows: Any) -> dict[str, NDArray[np.float64]]:
    """Rows of ticks as columns by name."""
    table = np.asarray(rows, dtype=np.float64).reshape(-1, len(NAMES))
    return {name: np.ascontiguousarray(table[:, i]) for i, name in enumerate(NAMES)}


def total(name: str, values: NDArray[np.float64]) -> float:
    """What the ticks of a run come to. `nan` if there are none."""
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan")
    match BY_NAME[name].over:
        case Over.SUM:
            return float(np.cumsum(known)[-1])
        case Over.MEAN:
            return float(np.cumsum(known)[-1]) / known.size
        case Over.LAST:
            return float(known[-1])
        case Over.MOST:
            return float(known.max())
