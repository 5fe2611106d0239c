"""A recorded run and the artifact of a contract to that run as transactions on an EVM, compared step by step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from policyctl.exit_codes import OK, REFUTED
from policyctl.output import own_paint, write_out
from policyctl.render_trace import render_trace
from policyctl.results import StepView
from policyctl.to_views import trace_view
from policydsl.core.system import System
from policydsl.interp import Request
from policydsl.trace import Trace
from policydsl.trace_words import describe_cells
from runtime.evm import EvmError
from runtime.evm_names import Names, names_of
from runtime.evm_twin import EvmTwin, twin_of


def replay_on_evm(system: System, recorded: Trace, artifact: Path) -> int:
    """Send each request as a transaction, until the contract does otherwise than the policy; say what it answers."""
    view = trace_view(system, recorded)
    try:
        twin = twin_of(system, contract_names(artifact), recorded)
        steps, differs = _sent(twin, recorded, view.steps)
    except EvmError as error:
        raise click.ClickException(str(error)) from error
    lines = list(render_trace(replace(view, steps=steps), own_paint()))
    cells = sum(1 for _ in twin.cells())
    said = f"answers each request as the policy does, and after each its {cells} cells read as the policy's"
    lines.append(f"{twin.names.contract} {'does not do what the policy does' if differs else said}")
    write_out("\n".join(lines) + "\n")
    return REFUTED if differs else OK


def contract_names(artifact: Path) -> Names:
    """Those of the contract of `artifact`: its `names.json` is where its source is, or beside it."""
    name = f"{artifact.stem}.names.json"
    places = [folder / name for folder in (artifact.parent.parent, artifact.parent)]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise EvmError(f"there is no {places[0]}: `policyctl emit solidity` writes it")
    return names_of(found.read_text(encoding="utf-8"), artifact.read_text(encoding="utf-8"))


def _sent(twin: EvmTwin, recorded: Trace, views: tuple[StepView, ...]) -> tuple[tuple[StepView, ...], bool]:
    """What became of the requests, up to the first that differs, and whether one does."""
    sent: list[StepView] = []
    for step, view in zip(recorded.steps, views, strict=True):
        answer = twin.ask(Request(step.action, dict(step.inputs)))
        gas = f"{answer.receipt.gas:,} gas"
        effect = "allow" if answer.receipt.ok else "deny"
        if answer.agrees:
            shows = describe_cells((replace(c, value=shown) for c, shown in twin.differences()), twin.system)
            notes = [f"the contract shows {x}" for x in shows]
        else:
            notes = [f"the policy says {answer.expected.effect}"]
        sent.append(StepView(view.call, effect, answer.said, (gas,), (), "; ".join(notes)))
        if notes:
            return tuple(sent), True
    return tuple(sent), False
