"""A result of an election to what a policy of governance makes of it: the stage of the proposal after the vote."""

from __future__ import annotations

from collections.abc import Mapping

from policydsl.core.system import System
from policydsl.interp import Request, UnfitError, initial, step
from policydsl.trace import Cell

_PROPOSAL = "the proposal"
_NEEDED = {"stage", "yes", "no"}
_CLOSE = "close_voting"


def outcome(system: System, yes: int, no: int, params: Mapping[str, int]) -> str:
    """The stage in which `close_voting` leaves a proposal with these totals, in the reference interpreter.

    The ballots themselves are secret, so the totals are put where the policy adds them up. Raises `UnfitError` for a
    policy that does not vote like this, and for parameters out of their ranges.
    """
    close = next((a for a in system.actions if a.name == _CLOSE), None)
    if close is None or not {v.name for v in system.state if len(v.keys) == 1} >= _NEEDED:
        raise UnfitError(f"`{system.name}` has no action `{_CLOSE}`, or no `stage`, `yes` and `no` of a proposal")
    keys = (_PROPOSAL,)
    start = (Cell("stage", keys, "VotingOpen"), Cell("yes", keys, yes), Cell("no", keys, no))
    state = initial(system, dict(params), start)
    # Voting that began and ended at the beginning of time has ended a moment later.
    inputs = {i.name: 1 if i.name == "now" else _PROPOSAL for i in close.inputs}
    done = step(system, state, Request(_CLOSE, inputs))
    if done.decision.effect != "allow":
        raise UnfitError(f"`{_CLOSE}` is denied: {done.decision.reason}")
    return str(done.state.read("stage", keys))
