"""Sliding windows to bounded memory: a ring of time stamps for counts (exact), buckets for amounts (within bounds)."""

from __future__ import annotations

from policydsl.check.monitor_patterns import MonitorError, Occurrence
from policydsl.check.monitor_store import Store, Update, keys_of
from policydsl.core.expr import ZERO, Expr, Op, Ref, Space, add, arith, conj, eq, ite, le, lt, number, select, sub
from policydsl.core.system import NOW, Input, StateVar
from policydsl.core.types import INT, EntityType

LONGEST_RING = 64
BUCKETS = 4
NOW_REF = Ref(NOW, INT, Space.INPUT)


def positive(within: int) -> int:
    """`within`, unless it is no window at all."""
    if within <= 0:
        raise MonitorError("E507", "a window must be longer than nothing", "write a duration like `1h`")
    return within


class Rings:
    """The times of the latest occurrences of events, as many for each event as the largest count asks for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sizes: dict[tuple[Occurrence, tuple[EntityType, ...]], int] = {}

    def at_least(self, event: Occurrence, keys: tuple[Expr, ...], types: tuple[EntityType, ...], n: int,
                 within: int, now: Expr) -> Expr:  # fmt: skip
        """Whether the n-th latest occurrence is younger than `within`."""
        if n > LONGEST_RING:
            raise MonitorError(
                "E551",
                f"a window over {n} events is too long: at most {LONGEST_RING} are remembered",
                "use a lower count over a shorter window, or a budget, which counts amounts in buckets",
            )
        size = max(n, self._sizes.get((event, types), 0))
        self._sizes[event, types] = size
        times = self._times(event, types, size)
        seen = self._seen(event, types, size)
        # SOUND: the time stamp of an event that has not happened means nothing, so the counter is asked first.
        return conj(
            le(number(n), select(seen.ref, *keys)),
            lt(sub(now, select(times[n - 1].ref, *keys)), number(within)),
        )

    def _times(self, event: Occurrence, types: tuple[EntityType, ...], size: int) -> list[StateVar]:
        times: list[StateVar] = []
        for i in range(1, size + 1):
            which = "latest" if i == 1 else f"latest but {i - 1}"
            text, doc = f"time{i}:{event}", f"when `{event}` happened, the {which} time"
            var = self._store.variable(text, ("time", i, event, types), types, INT, ZERO, doc)
            keys = keys_of(event, var)
            value: Expr = select(times[-1].ref, *keys) if times else NOW_REF
            self._store.update(var, Update(event.action, keys, value, event.happens))
            times.append(var)
        return times

    def _seen(self, event: Occurrence, types: tuple[EntityType, ...], size: int) -> StateVar:
        doc = f"how often `{event}` has happened; counting stops where no condition asks further"
        var = self._store.variable(f"seen:{event}", ("seen", event, types), types, INT, ZERO, doc)
        keys = keys_of(event, var)
        value = arith(Op.MIN, number(size), add(select(var.ref, *keys), number(1)))
        self._store.update(var, Update(event.action, keys, value, event.happens))
        return var


def windowed_sum(store: Store, event: Occurrence, keys: tuple[Expr, ...], types: tuple[EntityType, ...],
                 amount: Input | None, within: int, now: Expr) -> tuple[Expr, Expr]:  # fmt: skip
    """What the sum of `amount` (without one: the number) over the occurrences younger than `within` is at least, and
    at most.

    NOTE(buckets): time is cut into periods of a quarter of the window, with a partial sum for each of the latest
    `BUCKETS` + 1. At most, an amount counts from its event until the fifth period after its own: never less than
    `within`, never as much as 5/4 of it (up to rounding). At least, it counts while all of its period is younger.
    """
    length = -(-positive(within) // BUCKETS)
    width = number(length)
    name = amount.name if amount else "count"
    what = f"sum of `{name}`" if amount else "number"
    label = f"{event.action}.{name}/{duration(length)}{str(event).removeprefix(event.action)}"
    content = (event, types, amount, width)

    def var(text: str, index: int, doc: str) -> StateVar:
        return store.variable(f"{text}:{label}", (text, index, *content), types, INT, ZERO, doc)

    epoch = var("period", 0, f"the number of the period of the latest `{event}`")
    buckets = [
        var(f"amount{i}", i, f"the {what} of `{event}`, {i} periods before the latest one") for i in range(BUCKETS + 1)
    ]
    own = keys_of(event, epoch)
    passed = _passed(epoch, own, NOW_REF, width)
    # SOUND: a negative amount counts as nothing, so that forgetting one never lowers a later estimate below the truth.
    fresh = arith(Op.MAX, ZERO, amount.ref) if amount else number(1)
    for i, bucket in enumerate(buckets):
        kept: Expr = ZERO
        for earlier in range(i + 1):
            old = select(buckets[earlier].ref, *keys_of(event, bucket))
            distance = i - earlier
            met = le(passed, ZERO) if distance == 0 else eq(passed, number(distance))
            kept = ite(met, old, kept)
        value = add(kept, fresh) if i == 0 else kept
        store.update(bucket, Update(event.action, keys_of(event, bucket), value, event.happens))
    store.update(epoch, Update(event.action, own, arith(Op.DIV, NOW_REF, width), event.happens))

    since = _passed(epoch, keys, now, width)

    def latest(periods: int) -> Expr:
        return add(*(ite(le(since, number(periods - i)), select(b.ref, *keys), ZERO) for i, b in enumerate(buckets)))

    # SOUND: an event at t with now - t < within <= BUCKETS * width lies at most BUCKETS periods before now; and one
    # that lies n periods before now has now - t < (n + 1) * width.
    return latest(within // length - 1), latest(BUCKETS)


def _passed(epoch: StateVar, keys: tuple[Expr, ...], now: Expr, width: Expr) -> Expr:
    """How many periods have begun since the latest event."""
    return sub(arith(Op.DIV, now, width), select(epoch.ref, *keys))


def duration(milliseconds: int) -> str:
    """A duration as a policy writes it."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"
