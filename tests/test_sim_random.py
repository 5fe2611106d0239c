"""Counter-based random numbers: the published values, the same numbers in any order, and the right distributions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from simulator.portable_math import exp, log, normal_quantile
from simulator.random_streams import CHUNK, MASK, Draw, key, odd_step, split_mix

GOLDEN = 0x9E3779B97F4A7C15
MANY = 200_000
METHODS = {
    "words": lambda d, b: d.words(b),
    "uniform": lambda d, b: d.uniform(b),
    "bernoulli": lambda d, b: d.bernoulli(b, 0.3),
    "below": lambda d, b: d.below(b, 3_000_000_000),
    "normal": lambda d, b: d.normal(b, 5.0, 2.0),
    "exponential": lambda d, b: d.exponential(b, 4.0),
    "log_normal": lambda d, b: d.log_normal(b, 10.0, 0.5),
    "choice": lambda d, b: d.choice(b, [0.5, 0.0, 2.5]),
}


def test_split_mix_gives_the_published_values() -> None:
    found = split_mix(1234567, GOLDEN, np.arange(5))
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert found.tolist() == [*expected, 16408922859458223821]
    assert split_mix(42, GOLDEN, np.arange(1)).tolist() == [13679457532755275413]


def plain_word(start: int, step: int, place: int) -> int:
    """The algorithm once more, in integers."""
    z = (start + (place + 1) * step) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


@settings(deadline=None)
@given(st.integers(), st.integers(0), st.integers(0), st.text(), st.lists(st.integers(0, 2**63 - 1)))
def test_a_number_depends_on_seed_run_tick_stream_and_bot_alone(
    seed: int, run: int, tick: int, stream: str, bots: list[int]
) -> None:
    draw = Draw(seed, run, tick, stream.encode(errors="replace").decode())
    start, step = key(draw)
    assert step % 2 == 1
    found = draw.words(np.array(bots, dtype=np.int64))
    assert found.dtype == np.uint64
    assert found.tolist() == [plain_word(start, step, b) for b in bots]


@pytest.mark.parametrize("method", METHODS)
def test_any_split_and_order_gives_the_same_bits(method: str) -> None:
    draw, make = Draw(7, 1, 12, "votes"), METHODS[method]
    bots = np.concatenate([np.arange(2 * CHUNK + 77), [2**40, 2**63 - 1]])
    whole = make(draw, bots)
    order = np.random.default_rng(1).permutation(bots.size)
    assert make(draw, bots[order]).tobytes() == whole[order].tobytes()
    # Every second one lies in memory with gaps, for which NumPy may take another way.
    assert make(draw, bots[::2]).tobytes() == whole[::2].tobytes()
    assert make(draw, bots.reshape(-1, 1))[:, 0].tobytes() == whole.tobytes()
    assert make(draw, bots.astype(np.uint64)).tobytes() == whole.tobytes()
    for cut in (1, 63, CHUNK, CHUNK + 1):
        parts = [make(draw, bots[:cut]), make(draw, bots[cut:])]
        assert np.concatenate(parts).tobytes() == whole.tobytes()
    for place in range(0, bots.size, 997):
        assert make(draw, bots[place]).tobytes() == whole[place].tobytes()
    assert make(draw, bots[:0]).size == 0


def test_golden_numbers() -> None:
    """Whoever changes these changes every run that was ever recorded."""
    draw = Draw(1, 2, 3, "golden")
    bots = np.array([0, 1, 1000])
    assert draw.words(bots).tolist() == [2600807866807514469, 11502809767763901421, 7349538164051864526]
    assert draw.below(bots, 1000).tolist() == [140, 623, 398]
    assert [x.hex() for x in draw.normal(bots).tolist()] == [
        "-0x1.136cfc2b7cd67p+0",
        "0x1.426c6a8dc87d2p-2",
        "-0x1.079e8e641adeap-2",
    ]
    assert [x.hex() for x in draw.log_normal(bots, 20.0, 0.5).tolist()] == [
        "0x1.75ba46f96bde6p+3",
        "0x1.768f95a6da81cp+4",
        "0x1.1959aef94468bp+4",
    ]


def test_all_parts_of_the_key_matter() -> None:
    keys = [Draw(*k, stream) for k in [(1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 0, 0)] for stream in ("a", "b", "")]
    bots = np.arange(50)
    assert len({tuple(d.words(bots).tolist()) for d in keys} | {tuple(keys[0].words(bots, 1).tolist())}) == 13
    # "1/11" and "11/1" are different keys.
    assert key(Draw(1, 11, 0, "")) != key(Draw(11, 1, 0, ""))


def test_steps_are_odd_and_restless() -> None:
    for word in [0, 1, MASK, GOLDEN, *range(2, 4000)]:
        step = odd_step(word)
        assert step % 2 == 1
        assert 0 < step <= MASK
        assert (step ^ (step >> 1)).bit_count() >= 24


@pytest.mark.parametrize(
    ("method", "law"),
    [
        ("uniform", stats.uniform),
        ("normal", stats.norm(5.0, 2.0)),
        ("exponential", stats.expon(scale=4.0)),
        ("log_normal", stats.lognorm(0.5, scale=10.0)),
    ],
)
@pytest.mark.parametrize("tick", [0, 1])
def test_the_distributions(method: str, law: object, tick: int) -> None:
    found = METHODS[method](Draw(3, 0, tick, method), np.arange(MANY))
    assert found.dtype == np.float64
    assert stats.kstest(found, law.cdf).pvalue > 1e-4  # type: ignore[attr-defined]
    assert stats.kstest(found * 1.02, law.cdf).pvalue < 1e-4  # type: ignore[attr-defined]


def test_the_bits_are_even_over_bots_ticks_and_streams() -> None:
    bots, ticks = np.arange(1000), range(1000)
    words = np.array([Draw(1, 0, tick, "s").words(bots) for tick in ticks])
    other = np.array([Draw(1, 0, tick, "t").words(bots) for tick in ticks])
    for mixed in (words, words[1:] ^ words[:-1], words[:, 1:] ^ words[:, :-1], words ^ other):
        for bit in range(64):
            ones = int(np.count_nonzero(mixed >> np.uint64(bit) & np.uint64(1)))
            assert abs(ones - mixed.size / 2) < 6 * 0.5 * math.sqrt(mixed.size)
    cells = np.bincount((words >> np.uint64(54)).ravel().astype(np.int64), minlength=1024)
    assert stats.chisquare(cells).pvalue > 1e-4
    pairs = (words[:, ::2] >> np.uint64(59)) * np.uint64(32) + (words[:, 1::2] >> np.uint64(59))
    assert stats.chisquare(np.bincount(pairs.ravel().astype(np.int64), minlength=1024)).pvalue > 1e-4


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000])
def test_integers_below_are_equally_likely(n: int) -> None:
    found = Draw(5, 0, 0, "below").below(np.arange(MANY), n)
    assert found.dtype == np.int64
    assert 0 <= found.min() <= found.max() < n
    if n > 1:
        assert stats.chisquare(np.bincount(found, minlength=n)).pvalue > 1e-4


def test_integers_below_have_no_bias() -> None:
    """Of 3 * 2^30 numbers, scaling alone would make every third one twice as likely as the others."""
    n = 3 << 30
    draw, bots = Draw(5, 0, 0, "bias"), np.arange(MANY)
    naive = ((draw.words(bots) >> np.uint64(32)) * np.uint64(n) >> np.uint64(32)).astype(np.int64)
    assert stats.chisquare(np.bincount(naive % 3, minlength=3)).pvalue < 1e-9
    assert stats.chisquare(np.bincount(draw.below(bots, n) % 3, minlength=3)).pvalue > 1e-4


def test_each_bot_can_have_its_own_bound() -> None:
    draw, bots = Draw(5, 0, 0, "own"), np.arange(10_000)
    bounds = bots % 7 + 1
    found = draw.below(bots, bounds)
    assert (found < bounds).all()
    assert found.tolist() == [int(draw.below(b, int(n))) for b, n in zip(bots, bounds)]
    assert draw.below(bots, 1 << 32).tolist() == (draw.words(bots) >> np.uint64(32)).tolist()
    for wrong in (0, -1, (1 << 32) + 1, np.where(bots == 3, 0, 5)):
        with pytest.raises(ValueError, match=r"1\.\.2\^32"):
            draw.below(bots, wrong)


def test_bernoulli_is_whether_the_uniform_number_is_below() -> None:
    draw, bots = Draw(1, 0, 0, "coins"), np.arange(50)
    numbers = draw.uniform(bots)
    for p in [float(np.nextafter(u, end)) for u in numbers for end in (0.0, u, 1.0)] + [float(np.nextafter(1.0, 0.0))]:
        assert draw.bernoulli(bots, p).tolist() == (numbers < p).tolist()


def test_arrays_of_columns_get_the_words_of_their_bots() -> None:
    draw, bots = Draw(1, 0, 0, "columns"), np.arange(12).reshape(3, 4)
    assert draw.words(bots.T).tolist() == draw.words(bots).T.tolist()
    assert draw.words(bots.T).ravel().tolist() != draw.words(bots).ravel().tolist()


def test_bernoulli_at_the_ends() -> None:
    draw, bots = Draw(5, 0, 0, "coin"), np.arange(MANY)
    assert draw.bernoulli(bots, 1.0).all()
    assert not draw.bernoulli(bots, 0.0).any()
    assert draw.bernoulli(bots, 0.3).dtype == np.bool_
    assert stats.binomtest(int(draw.bernoulli(bots, 0.3).sum()), MANY, 0.3).pvalue > 1e-4
    assert draw.bernoulli(bots, (bots % 2).astype(float)).tolist() == (bots % 2 == 1).tolist()


@pytest.mark.parametrize("weights", [[1, 0, 3, 6, 0], [0.1, 0.0, 0.3, 0.6, 0.0], [0.0, 1e-300], [2**32]])
def test_choice_follows_the_weights(weights: list[float]) -> None:
    found = Draw(5, 0, 0, "choice").choice(np.arange(MANY), weights)
    counts = np.bincount(found, minlength=len(weights))
    shares = np.array(weights) / np.sum(weights)
    assert found.dtype == np.int64
    assert counts[shares == 0].sum() == 0
    if (shares > 0).sum() > 1:
        assert stats.chisquare(counts[shares > 0], shares[shares > 0] * MANY).pvalue > 1e-4


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [float("nan")], [[1, 2]]])
def test_choice_refuses_weights_that_are_none(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        Draw(5, 0, 0, "choice").choice(np.arange(3), weights)


def test_a_sample_is_drawn_in_proportion_to_what_is_left() -> None:
    bots, weights = np.array([10, 11, 12, 13]), np.array([1.0, 2.0, 0.0, 3.0])
    counts: dict[tuple[int, ...], int] = {}
    for tick in range(6000):
        found = Draw(9, 0, tick, "elect").sample(bots, weights, 2)
        counts[tuple(found.tolist())] = counts.get(tuple(found.tolist()), 0) + 1
    weight = dict(zip(bots.tolist(), [1, 2, 0, 3]))
    law = {
        (a, b): float(Fraction(weight[a], 6) * Fraction(weight[b], 6 - weight[a]))
        for a in (10, 11, 13)
        for b in (10, 11, 13)
        if a != b
    }
    assert sorted(counts) == sorted(law)
    assert stats.chisquare([counts[k] for k in law], [law[k] * 6000 for k in law]).pvalue > 1e-4


def test_a_sample_does_not_depend_on_the_order_of_the_bots() -> None:
    bots = np.arange(500)
    weights = (bots % 10 + 1).astype(float)
    order = np.random.default_rng(3).permutation(500)
    draw = Draw(9, 0, 0, "elect")
    whole = draw.sample(bots, weights, 40)
    assert draw.sample(bots[order], weights[order], 40).tolist() == whole.tolist()
    assert len(set(whole.tolist())) == 40
    assert draw.sample(bots, 1.0, 500).tolist() != bots.tolist()
    assert sorted(draw.sample(bots, 1.0, 500).tolist()) == bots.tolist()
    with pytest.raises(ValueError, match="cannot draw 451"):
        draw.sample(bots, np.where(bots < 50, 0.0, 1.0), 451)


def test_the_portable_functions_are_right() -> None:
    x = np.concatenate([np.logspace(-300, 300, 20_001), np.linspace(0.5, 2, 20_001), [5e-324, 1.0]])
    assert (np.abs(log(x) - np.log(x)) <= 1.01 * np.spacing(np.abs(np.log(x)))).all()
    x = np.concatenate([np.linspace(-700, 700, 20_001), [0.0, -0.0, 1e-300]])
    assert (np.abs(exp(x) - np.exp(x)) <= 1.01 * np.spacing(np.exp(x))).all()
    p = np.concatenate([np.logspace(-16, -0.31, 20_001), 1 - np.logspace(-15, -0.31, 20_001)])
    assert np.allclose(normal_quantile(p), special.ndtri(p), rtol=4e-15, atol=1e-15)
    assert normal_quantile(0.5) == 0
