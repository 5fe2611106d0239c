"""A multiple of the generator to the number it is a multiple by, if that is small: Shanks' baby and giant steps."""

from __future__ import annotations

from math import isqrt

from voting.group import IDENTITY, Point, base_times, minus, plus


class SmallLogarithms:
    """Logarithms from 0 to `most`, in about the root of `most` steps each, and as many to begin with."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._stride = isqrt(most) + 1
        self._babies: dict[Point, int] = {}
        point, generator = IDENTITY, base_times(1)
        for number in range(self._stride):
            self._babies[point] = number
            point = plus(point, generator)
        self._giant = point

    def of(self, point: Point) -> int | None:
        """The logarithm of `point`; none if it is not among them."""
        for giants in range(self._stride):
            baby = self._babies.get(point)
            if baby is not None:
                found = giants * self._stride + baby
                return found if found <= self.most else None
            point = minus(point, self._giant)
        return None
