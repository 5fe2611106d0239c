"""The network and its mailbox: latencies, losses, partitions that heal, and messages in a stable order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.mailbox import Mailbox, put, restore, save, take, waiting
from simulator.network import (
    HIGH,
    LOW,
    NEVER,
    Latency,
    Network,
    deliver,
    departures,
    is_cut,
    partition,
    to_ticks,
    travel,
)
from simulator.random_streams import Draw

MANY = np.arange(100_000)
DRAW = Draw(1, 0, 0, "net")
FIXED = Latency(base=3.0, median=2.0, sigma=0.0, most=100.0)


@pytest.mark.parametrize(("latency", "half", "late"), [(LOW, 10, 17), (HIGH, 180, 510)])
def test_latencies_are_as_documented(latency: Latency, half: int, late: int) -> None:
    times, copies = travel(Network(latency), DRAW, MANY)
    assert times.dtype == np.int64
    assert (copies == NEVER).all()
    assert times.min() > latency.base
    assert times.max() <= latency.most
    assert abs(np.median(times) - half) <= 0.02 * half + 1
    assert abs(np.quantile(times, 0.95) - late) <= 0.02 * late + 1


@pytest.mark.parametrize("latency", [LOW, HIGH, Latency(1.0, 100.0, 1.5, 1e9), Latency(0.0, 1.0, 80.0, 3000.0)])
def test_times_that_are_looked_up_are_those_of_the_law(latency: Latency) -> None:
    on_the_way = latency.base + replace(DRAW, stream="net first").log_normal(MANY, latency.median, latency.sigma)
    expected = np.maximum(np.ceil(np.minimum(on_the_way, latency.most)), 1.0).astype(np.int64)
    assert travel(Network(latency), DRAW, MANY)[0].tobytes() == expected.tobytes()


def test_losses_and_copies_are_as_frequent_as_asked() -> None:
    times, copies = travel(Network(loss=0.2, duplicates=0.1), DRAW, MANY)
    lost = times == NEVER
    assert abs(lost.mean() - 0.2) < 0.01
    assert not (copies[lost] != NEVER).any()
    assert abs((copies[~lost] != NEVER).mean() - 0.1) < 0.01
    assert (times[~lost] == travel(Network(), DRAW, MANY)[0][~lost]).all()
    assert (travel(Network(loss=1.0), DRAW, MANY)[0] == NEVER).all()


def test_any_split_gives_the_same_times() -> None:
    network = Network(HIGH, loss=0.3, duplicates=0.3)
    first, second = travel(network, DRAW, MANY)
    for part in (slice(0, 1), slice(1, 777), slice(5, None, 3), slice(None, None, -1)):
        a, b = travel(network, DRAW, MANY[part])
        assert a.tobytes() == first[part].tobytes()
        assert b.tobytes() == second[part].tobytes()


@pytest.mark.parametrize("holds", [True, False])
def test_a_partition_cuts_between_groups_from_begin_until_end(holds: bool) -> None:
    network = Network(FIXED, partitions=(partition(100, 200, 5, [[0, 1], [2]]),), holds=holds)
    pairs = [(a, b) for a in range(5) for b in range(5)]
    senders, receivers = np.array(pairs).T
    together = [{0, 1}, {2}, {3, 4}]
    for time in (99, 100, 199, 200):
        assert is_cut(network, time) is (100 <= time < 200)
        for (a, b), leaves in zip(pairs, departures(network, senders, receivers, time).tolist()):
            free = not 100 <= time < 200 or any({a, b} <= group for group in together)
            assert leaves == (time if free else 200 if holds else NEVER)


def test_a_held_message_waits_for_one_partition_after_the_other() -> None:
    cuts = (partition(150, 300, 2, [[0]]), partition(100, 200, 2, [[1]]), partition(300, 301, 2, [[1]]))
    network = Network(FIXED, partitions=cuts)
    assert departures(network, np.array([0, 0]), np.array([1, 0]), 120).tolist() == [301, 120]
    assert departures(network, 0, 1, np.array([99, 100, 301])).tolist() == [99, 301, 301]


def test_delivery_puts_it_together() -> None:
    network = Network(FIXED, duplicates=1.0, partitions=(partition(10, 50, 3, [[2]]),), holds=False)
    places, times = deliver(
        network, DRAW, np.arange(3), np.array([0, 0, 1]), np.array([1, 2, 0]), np.array([0, 10, 20])
    )
    assert places.tolist() == [0, 2, 0, 2]
    assert times.tolist() == [5, 25, 5, 25]
    assert to_ticks(np.array([1, 99, 100, 101]), 100).tolist() == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Latency(-1, 1, 1, 1), "a latency needs"),
        (lambda: Latency(1, 0, 1, 1), "a latency needs"),
        (lambda: Latency(1, 1, float("nan"), 1), "a latency needs"),
        (lambda: Network(loss=1.5), "shares"),
        (lambda: Network(duplicates=-0.1), "shares"),
        (lambda: Network(partitions=(partition(5, 4, 3, []),)), "ends before"),
        (lambda: Network(partitions=(partition(-1, 4, 3, []),)), "begins before 0"),
        (lambda: partition(0, 1, 3, [[3]]), "no node 3"),
        (lambda: partition(0, 1, 3, [[1], [1]]), "two groups"),
        (lambda: Mailbox({"due": "i4"}), "names for columns"),
    ],
)
def test_nonsense_is_refused(make: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()  # type: ignore[operator]


KINDS = {"sender": "<i4", "strength": "<f8"}
Posted = list[list[tuple[int, int]]]


def run(posted: Posted, pause: int | None) -> list[tuple[bytes, bytes]]:
    """In each tick some messages (delay, sender) are sent; before tick `pause` the mailbox is saved and restored."""
    box, found = Mailbox(KINDS), []
    for tick in range(len(posted) + 6):
        if tick == pause:
            box = restore({name: column.copy() for name, column in save(box).items()})
        got = take(box, tick)
        found.append((got["sender"].tobytes(), got["strength"].tobytes()))
        if tick < len(posted):
            delays, senders = np.array(posted[tick], dtype=np.int64).reshape(-1, 2).T
            put(box, tick + delays, {"sender": senders, "strength": senders / 3 + tick})
    assert waiting(box) == 0
    return found


MESSAGES = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 99)), max_size=8)


@settings(deadline=None)
@given(st.lists(MESSAGES, max_size=8), st.integers(0, 14))
def test_a_mailbox_keeps_the_order_and_survives_a_checkpoint(posted: Posted, pause: int) -> None:
    found = run(posted, None)
    assert run(posted, pause) == found
    expected: list[list[tuple[int, float]]] = [[] for _ in found]
    for tick, messages in enumerate(posted):
        for delay, sender in messages:
            expected[tick + delay].append((sender, sender / 3 + tick))
    for (senders, strengths), messages in zip(found, expected):
        assert np.frombuffer(senders, "<i4").tolist() == [s for s, _ in messages]
        assert np.frombuffer(strengths, "<f8").tolist() == [x for _, x in messages]


def test_a_mailbox_keeps_its_own_copy_and_refuses_what_is_late() -> None:
    box, strength = Mailbox(KINDS), np.array([1.0, 2.0])
    put(box, [0, 1], {"sender": 7, "strength": strength})
    strength[:] = 9.0
    assert waiting(box) == 2
    assert take(box, 0)["strength"].tolist() == [1.0]
    with pytest.raises(ValueError, match="due at tick 0"):
        put(box, [0], {"sender": 1, "strength": 1.0})
    with pytest.raises(ValueError, match="columns"):
        put(box, [5], {"sender": 1})
    with pytest.raises(ValueError, match="does not follow"):
        take(box, 5)
    got = take(box, 1)
    assert got["sender"].dtype == np.int32
    assert got["strength"].tolist() == [2.0]
