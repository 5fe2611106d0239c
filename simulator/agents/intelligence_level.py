"""What is to be expected: incidents so far go in, a forecast and the threat level that it calls for come out."""

from __future__ import annotations

from simulator.agents.base import Name, Request, View
from simulator.agents.forecast import Forecast, forecast
from simulator.agents.intelligence_state import PERIOD, State

PERIODS = 60
"""So many counts are remembered."""
LEVELS = ((1.0, 1.0), (5.0, 3.0), (20.0, 8.0))
"""For each threat level from 1: so many incidents in a period for each 1,000 members, and so many at least."""
CALM = 3
"""So many calmer periods before a lower level is recommended."""
HASTY = 2
"""From this level on it is recommended at once, and not when the period is over."""
SPEAKS = 10
"""Periods between two forecasts that people are told of, while there are incidents."""


def predict(state: State, view: View) -> None:
    """Compares the forecast with what came, makes the next one, and recommends a threat level."""
    state.counts = [*state.counts, state.current][-PERIODS:]
    if state.expected is not None:
        state.forecasts += 1
        state.held += state.expected[1] <= state.current <= state.expected[2]
    state.current = 0.0
    coming = forecast(state.counts)
    state.expected = (coming.mean, coming.low, coming.high)
    wanted = _level(coming.mean, view.members)
    state.calm = state.calm + 1 if wanted < state.level else 0
    before = state.level
    if wanted > state.level:
        state.level = wanted
    elif state.calm >= CALM:
        state.level, state.calm = state.level - 1, 0
    _recommend(state, view, coming, before)


def hasten(state: State, view: View) -> None:
    """Does not wait for the end of a period in which there are too many incidents already."""
    wanted = _level(state.current, view.members)
    if wanted < HASTY or wanted <= state.level:
        return
    before, state.level, state.calm = state.level, wanted, 0
    text = f"{state.current:.0f} incidents in less than {PERIOD} ticks"
    view.tell(Name.ENFORCER, Request("tighten", level=wanted, why=text))
    view.note("forecast", f"{text}; recommends threat level {wanted}, until now {before}", number=wanted)


def _level(expected: float, members: int) -> int:
    """The threat level that so many incidents in a period call for."""
    each = expected * 1000.0 / max(members, 1)
    return sum(each >= share and expected >= least for share, least in LEVELS)


def _recommend(state: State, view: View, coming: Forecast, before: int) -> None:
    period = view.tick // PERIOD
    noun = "incident" if round(coming.mean) == 1 else "incidents"
    text = (
        f"expects {coming.mean:.0f} {noun} in the next {PERIOD} ticks, between {coming.low:.0f} and {coming.high:.0f} "
        f"with a probability of 90 %"
    )
    if state.level < before:
        view.tell(Name.ENFORCER, Request("relax", level=state.level, why=text))
    elif state.level:
        # Said again in each period: the Policy Enforcer forgets what nobody repeats.
        view.tell(Name.ENFORCER, Request("tighten", level=state.level, why=text))
    if state.level != before:
        view.note("forecast", f"{text}; recommends threat level {state.level}, until now {before}", number=state.level)
        state.spoke = period
    elif coming.mean >= 0.5 and period - state.spoke >= SPEAKS:
        state.spoke = period
        view.note("forecast", f"{text}; {state.held} of {state.forecasts} forecasts held", number=state.level)
