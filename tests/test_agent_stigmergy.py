"""Stigmergic signals: deposits, evaporation, diffusion and responses, and that nothing grows without bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.agents import stigmergy
from simulator.agents.stigmergy import MOST, adapted, channels, deposited, diffused, evaporated, responses
from simulator.snapshot import digest, restore, save


def test_signals_on_one_channel_add_up() -> None:
    found = deposited(np.array([1.0, 2.0, 3.0]), [2, 0, 2], [10, 20, 30])
    assert found.tolist() == [21.0, 2.0, 43.0]


def test_deposits_leave_what_is_handed_in_as_it_is() -> None:
    before = np.array([1.0, 2.0])
    deposited(before, [0], 5)
    evaporated(before)
    assert before.tolist() == [1.0, 2.0]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(-1e6, 1e6)), max_size=30),
    st.lists(st.floats(0, MOST), min_size=4, max_size=4),
)
def test_nothing_is_ever_stronger_than_the_most(signals: list[tuple[int, float]], strength: list[float]) -> None:
    found = deposited(np.array(strength), [s[0] for s in signals], [s[1] for s in signals])
    assert ((found >= 0) & (found <= MOST)).all()
    assert (found >= np.array(strength)).all()


def test_what_nobody_renews_evaporates_altogether() -> None:
    strength = np.array([MOST])
    for _ in range(200):
        faded = evaporated(strength)
        assert faded[0] < strength[0] or faded[0] == 0
        strength = faded
    assert strength[0] == 0.0


def test_diffusion_moves_but_does_not_make() -> None:
    before = np.array([[80.0, 0.0], [0.0, 10.0], [10.0, 5.0]])
    after = diffused(before, 0.3)
    assert after.sum(axis=0) == pytest.approx(before.sum(axis=0))
    assert after[0, 0] < 80.0
    assert after[1, 0] > 0.0
    for _ in range(100):
        after = diffused(after, 0.3)
    assert after[:, 0] == pytest.approx([30.0] * 3)


def test_the_response_is_strength_times_sensitivity() -> None:
    found = responses([50.0, 100.0, 100.0, 0.0], [0.5, 0.25, 3.0, 1.0])
    assert found.tolist() == [0.25, 0.25, 1.0, 0.0]


def test_urgency_makes_a_signal_up_to_twice_as_strong() -> None:
    assert adapted([20.0, 20.0, 20.0, 80.0], [0.0, 0.5, 7.0, 1.0]).tolist() == [20.0, 30.0, 40.0, MOST]


def test_a_signal_at_one_gateway_is_read_at_the_others_later() -> None:
    state = channels(3, 2)
    stigmergy.tick(state, [0, 0], [1, 1], [40.0, 10.0])
    assert state.strength[0, 1] > 10 * state.strength[1, 1] > 0
    assert state.strength[:, 0].tolist() == [0.0, 0.0, 0.0]
    for _ in range(40):
        stigmergy.tick(state, [], [], [])
    assert 0 < state.strength[0, 1] < 5 * state.strength[1, 1]
    assert digest(restore(stigmergy.Channels, *save(state))) == digest(state)


@pytest.mark.parametrize(("gateways", "count"), [(0, 1), (1, 0), (-1, 2)])
def test_there_is_a_gateway_and_a_channel_at_least(gateways: int, count: int) -> None:
    with pytest.raises(ValueError, match="at least one gateway"):
        channels(gateways, count)
