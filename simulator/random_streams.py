"""Random numbers as a function: (seed, run, tick, stream, bot) goes in, a number comes out.

NOTE(counters): No generator is carried along, so a number depends neither on the order in which others were drawn, nor
on how bots are split over arrays or workers, nor on what else the simulation draws. A checkpoint holds no random state.

Seed, run, tick, stream and the number of the draw are hashed (BLAKE2b) to a start and an odd step of 64 bits, and bot
`b` gets `mix(start + (b + 1) * step)`: this is SplitMix64 (Steele, Lea, Flood 2014), whose streams differ in start and
step, entered at any place. It costs 5 ns for a bot, in any subset and order; NumPy's Philox costs the same, but only
for bots in a row. It is not for cryptography.

Everything made of the words is made by operations with one exact result (NOTE(portable)).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.portable_math import Floats, exp, log, normal_quantile

Words = NDArray[np.uint64]
Bools = NDArray[np.bool_]
Ids = NDArray[np.int64]

MASK = (1 << 64) - 1
ROUNDS = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)
LAST_SHIFT = np.uint64(31)
STEP_1, STEP_2 = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53
CHUNK = 8192
"""Words that are mixed at once: what fits in the nearest cache, with the scratch beside it."""


@dataclass(frozen=True, slots=True)
class Draw:
    """The numbers of one stream in one tick of one run, one for each bot (or message, or whatever else has a number).

    Bots are numbers from 0 to 2^63 - 1, in arrays of any integer type and order. Two methods of one draw see the same
    words, so draw things that must be independent from streams of different names.
    """

    seed: int
    run: int
    tick: int
    stream: str

    def words(self, bots: Any, again: int = 0) -> Words:
        """64 random bits for each bot; other ones for each `again`."""
        start, step = key(self, again)
        return split_mix(start, step, np.asarray(bots))

    def uniform(self, bots: Any) -> Floats:
        """Floats in [0, 1), multiples of 2^-53."""
        return (self.words(bots) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def open_uniform(self, bots: Any, again: int = 0) -> Floats:
        """Floats strictly between 0 and 1, symmetric around a half."""
        return ((self.words(bots, again) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52

    def bernoulli(self, bots: Any, probability: Any) -> Bools:
        """True with a probability in [0, 1]: one for all bots, or an array with one for each."""
        if isinstance(probability, float) and 0.0 <= probability < 1.0:
            if not probability:
                return np.zeros(np.shape(bots), dtype=np.bool_)
            # A multiple of 2^-53 is below a number just if it is below the next such multiple.
            return self.words(bots) < np.uint64(ceil(probability * 2.0**53) << 11)
        found: Bools = self.uniform(bots) < probability
        return found

    def below(self, bots: Any, n: Any) -> Ids:
        """Integers from 0 to `n` - 1, exactly equally likely; `n` is 1 to 2^32, one for all or an array."""
        bots, sizes = np.asarray(bots), np.asarray(n, dtype=np.int64)
        if sizes.size and (sizes.min() < 1 or sizes.max() > 1 << 32):
            raise ValueError("`n` is not in 1..2^32")
        flat, many = bots.ravel(), sizes.astype(np.uint64)
        if many.ndim:
            many = np.broadcast_to(many, bots.shape).ravel()
        found, low = _scaled(self.words(flat), many)
        # Lemire 2019: of the 2^32 words, (2^32 mod n) are too many for equal shares. Those bots draw again, alone.
        again, spare = 0, np.uint64(1 << 32) % many
        left = np.flatnonzero(low < spare)
        while left.size:
            again += 1
            some, least = (many[left], spare[left]) if many.ndim else (many, spare)
            more, low = _scaled(self.words(flat[left], again), some)
            found[left] = more
            left = left[low < least]
        return found.astype(np.int64).reshape(bots.shape)

    def normal(self, bots: Any, mean: Any = 0.0, deviation: Any = 1.0) -> Floats:
        found: Floats = mean + deviation * normal_quantile(self.open_uniform(bots))
        return found

    def exponential(self, bots: Any, mean: Any = 1.0) -> Floats:
        found: Floats = mean * -log(self.open_uniform(bots))
        return found

    def log_normal(self, bots: Any, median: Any, sigma: Any) -> Floats:
        """`median` times the exponential of a normal number of deviation `sigma`, which is at most 80."""
        found: Floats = median * exp(sigma * normal_quantile(self.open_uniform(bots)))
        return found

    def choice(self, bots: Any, weights: Any) -> Ids:
        """For each bot a place in `weights`, as likely as its share; exactly so for integers with a sum up to 2^32."""
        weights = np.asarray(weights)
        if weights.ndim != 1 or not weights.size or not (weights >= 0).all() or not (weights > 0).any():
            raise ValueError("weights are not numbers from zero up, or all are zero")
        # `cumsum` adds in a row; `sum` adds in an order that may differ between machines.
        ends = np.cumsum(weights)
        if np.issubdtype(weights.dtype, np.integer):
            places = np.searchsorted(ends, self.below(bots, int(ends[-1])), side="right")
            return np.asarray(places, dtype=np.int64)
        places = np.searchsorted(ends, self.uniform(bots) * ends[-1], side="right")
        # The product can be rounded up to the very end.
        return np.asarray(np.minimum(places, np.flatnonzero(weights > 0)[-1]), dtype=np.int64)

    def sample(self, bots: Any, weights: Any, size: int) -> Ids:
        """`size` different bots, drawn one after the other in proportion to the weights of those that are left.

        Efraimidis and Spirakis 2006: the first of independent clocks that run as fast as the weights. A bot of weight
        zero is never drawn; the order of `bots` does not matter.
        """
        bots = np.asarray(bots, dtype=np.int64)
        weights = np.broadcast_to(np.asarray(weights, dtype=np.float64), bots.shape)
        able = weights > 0
        if np.count_nonzero(able) < size or size < 0:
            raise ValueError(f"cannot draw {size} of {np.count_nonzero(able)} bots with weight")
        bots = bots[able]
        rings = -log(self.open_uniform(bots)) / weights[able]
        found: Ids = bots[np.lexsort((bots, rings))[:size]]
        return found


def key(draw: Draw, again: int = 0) -> tuple[int, int]:
    """Where SplitMix64 starts for a draw, and its step."""
    text = f"{draw.seed}/{draw.run}/{draw.tick}/{again}/{draw.stream}"
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    start, step = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
    return start, odd_step(step)


def odd_step(word: int) -> int:
    """A step as `mixGamma` of the paper makes it: odd, and with enough changes between neighbouring bits."""
    word = ((word ^ (word >> 33)) * STEP_1) & MASK
    word = ((word ^ (word >> 33)) * STEP_2) & MASK
    word = (word ^ (word >> 33)) | 1
    return word if (word ^ (word >> 1)).bit_count() >= 24 else word ^ 0xAAAAAAAAAAAAAAAA


def split_mix(start: int, step: int, places: NDArray[Any]) -> Words:
    """What SplitMix64 gives after each number of earlier values."""
    found = places.astype(np.uint64, order="C")
    flat = found.reshape(-1)
    scratch = np.empty(min(CHUNK, flat.size), dtype=np.uint64)
    factor, first = np.uint64(step), np.uint64((start + step) & MASK)
    for at in range(0, flat.size, CHUNK):
        z = flat[at : at + CHUNK]
        t = scratch[: z.size]
        z *= factor
        z += first
        for shift, mix in ROUNDS:
            np.right_shift(z, shift, out=t)
            z ^= t
            z *= mix
        np.right_shift(z, LAST_SHIFT, out=t)
        z ^= t
    return found


def _scaled(words: Words, n: Words) -> tuple[Words, Words]:
    """The upper halves of words, times `n`, over 2^32; and what was left."""
    product = (words >> np.uint64(32)) * n
    return product >> np.uint64(32), product & np.uint64(0xFFFFFFFF)
