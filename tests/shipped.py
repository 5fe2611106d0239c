"""The policy that the enforcer itself runs to the core that ships with it; run as a program, it writes that anew."""

from __future__ import annotations

from pathlib import Path

from policydsl.core.to_json import to_json
from policydsl.diagnostics import Report
from policydsl.load import load

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "runtime" / "lockdown.json"
_POLICY = "specs/enforcer/lockdown.policy"


def lockdown_json() -> str:
    """Canonical, with places that are the same wherever the project lies."""
    report = Report()
    (program,) = load([_POLICY], lambda path: (ROOT / path).read_text(encoding="utf-8"), report)
    assert not report.found, report.found
    return to_json(program.system) + "\n"


if __name__ == "__main__":
    SHIPPED.write_text(lockdown_json(), encoding="utf-8")
