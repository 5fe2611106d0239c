"""What `benchmarks/verify.py` measured, as a picture: seconds over the size of a policy, on logarithmic axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WORDS = {
    "same": "copies of the governance machine",
    "different": "the same, no two of them alike",
    "rules": "rules of one action",
    "tree": "one machine: as many variables and invariants",
}
COLOURS = {"rules": "#6a4c93", "same": "#1f6f8b", "different": "#b5541c", "tree": "#5b7f2b"}


def draw(found: dict[str, Any], file: Path) -> None:
    """Writes an SVG that is the same for the same numbers."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "policyctl"
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 4), sharey=True)
    panels = (
        (left, "properties", ("same", "different")),
        (middle, "actions", ("tree",)),
        (right, "count", ("rules",)),
    )
    for axes, x, names in panels:
        for name in names:
            sizes = [s for s in found["growth"] if s["series"] == name]
            if not sizes:
                continue
            over = [s[x] for s in sizes]
            axes.plot(over, [s["cold"]["cpu"] for s in sizes], "o-", color=COLOURS[name], label=WORDS[name])
            axes.plot(over, [s["warm"]["wall"] for s in sizes], "o:", color=COLOURS[name], label="from the cache")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("rules" if x == "count" else x)
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    left.set_ylabel("seconds (CPU; wall-clock from the cache)")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
