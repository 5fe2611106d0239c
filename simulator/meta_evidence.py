"""Evidence for an amendment: what was simulated and proved goes in, a file named by its digest comes out, and back.

The digest is what is voted on (`specs/mvg/meta.policy`), so whatever is changed in the file afterwards, it is no longer
the evidence of that vote.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulator.meta_trial import Rehearsal, Trial
from simulator.record import write_text
from simulator.scenario import ScenarioError, from_data, to_data

FORMAT = "policyctl.evidence/1"


class EvidenceError(ValueError):
    """The file is no evidence, or not the one that is meant."""


@dataclass(frozen=True, slots=True)
class Evidence:
    proposal: str
    amendment: Mapping[str, int]
    """The new numbers, and what they were before."""
    before: Mapping[str, int]
    trial: Trial
    measured_at: int
    rests_on: str
    """The digest of the bundle in force when it was made ..."""
    leads_to: str
    """... and of the one with the new numbers, whose proofs are in it."""
    policies: Mapping[str, str]
    """The digest of each policy of that bundle, and of the one about relations between numbers ..."""
    certificates: Mapping[str, str]
    """... and of the certificate of its proofs."""


def to_text(evidence: Evidence) -> str:
    """Equal exactly for equal evidence."""
    data = asdict(evidence)
    data["trial"]["rehearsal"]["scenario"] = to_data(evidence.trial.rehearsal.scenario)
    return f"{json.dumps({'format': FORMAT, **data}, indent=1, sort_keys=True, allow_nan=False)}\n"


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def place_of(folder: Path, digest: str) -> Path:
    return folder / "evidence" / f"{digest}.json"


def keep(folder: Path, evidence: Evidence) -> str:
    """Writes the file; its digest."""
    text = to_text(evidence)
    digest = digest_of(text)
    write_text(place_of(folder, digest), text)
    return digest


def read(folder: Path, digest: str) -> Evidence:
    """The evidence with this digest. Raises `EvidenceError` when it is not there, or is not what it was."""
    path = place_of(folder, digest)
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise EvidenceError(f"`{path}` cannot be read: {error}") from None
    # SOUND: what was voted on is this very text.
    if digest_of(text) != digest:
        raise EvidenceError(f"`{path}` was changed: its digest is another one than what was voted on")
    return from_text(text)


def from_text(text: str) -> Evidence:
    """Raises `EvidenceError`."""
    try:
        data: dict[str, Any] = json.loads(text)
        if data.pop("format") != FORMAT:
            raise EvidenceError(f"it is not `{FORMAT}`")
        trial = data.pop("trial")
        rehearsal = trial.pop("rehearsal")
        rehearsal |= {"scenario": from_data(rehearsal["scenario"]), "seeds": tuple(rehearsal["seeds"])}
        figures = {name: tuple(float(x) for x in trial[name]) for name in ("before", "after")}
        return Evidence(trial=Trial(rehearsal=Rehearsal(**rehearsal), **figures), **data)
    except (ValueError, KeyError, TypeError, AttributeError, ScenarioError) as error:
        raise EvidenceError(f"it is no evidence: {error}") from None
