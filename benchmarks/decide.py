"""Measures decisions: ours and those of engines that come from PyPI, about the same rules and requests in one run.

    python benchmarks/decide.py [--only rules history columns durable footprint] [--rules 1 10 100 1000] [--json FILE]

`pip install -e '.[bench]'` installs the other engines; the benchmark names those that are not there or fail. Every
answer is compared with the right one, and a wrong one ends the run with an error. Times are microseconds of processor
time of one thread, medians of blocks of calls, the least of several rounds; what waits for a disk is timed on the wall.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import durable
import footprint
from peers import history, stateless
from peers.timing import microseconds
from peers.workload import indexed, requests, rules

HISTORIES = ((10, 200), (100, 200), (10, 2000), (100, 2000))
PATIENCE = 0.4
"""Seconds that one round of one engine may take, about."""
AIMS = {
    "rules": "at most 2 µs at every size, and at most 4 times more with 1,000 rules than with one",
    "history": "at most 3 µs, whatever the length of the history",
    "columns": "at most 0.1 µs per decision with 100 rules",
    "durable": "what the disk takes, whatever the number of rules; more than 10,000 a second with group commit",
    "footprint": "import within 100 ms, less than 50 MB with 1,000 rules, neither solver nor parser loaded",
}

Table = dict[str, Any]


def without(error: Exception) -> str:
    """Why there is no figure."""
    kind = "not installed" if isinstance(error, ModuleNotFoundError) else type(error).__name__
    return f"{kind}: {error}".splitlines()[0][:200]


class WrongAnswerError(Exception):
    pass


def check(name: str, got: list[bool], right: list[bool]) -> None:
    wrong = [i for i, (a, b) in enumerate(zip(got, right, strict=True)) if a is not b]
    if wrong:
        raise WrongAnswerError(f"{name} answers {len(wrong)} of {len(right)} requests wrongly, first number {wrong[0]}")


def measure_rules(sizes: list[int], rounds: int) -> Table:
    found: Table = {}
    for count in sizes:
        chance = random.Random(count)
        made = rules(count, chance)
        asked = requests(1000, made, chance)
        answer = indexed(made)
        right = [answer(q) for q in asked]
        for engine in stateless.ENGINES:
            row = found.setdefault(engine.name, {})
            try:
                row["version"] = version(engine.package) if engine.package else ""
                ask = engine.prepare(made)
                once = microseconds(ask, asked[:50], 1) / 1e6
                check(engine.name, [ask(q) for q in asked], right)
                some = asked[: max(50, min(len(asked), int(PATIENCE / once)))]
                row[str(count)] = microseconds(ask, some, rounds, block=50 if once < 1e-4 else 5)
            except WrongAnswerError:
                raise
            except Exception as error:  # noqa: BLE001 whatever keeps a peer from being measured is reported
                row["fault"] = without(error)
    return found


def measure_history(rounds: int) -> Table:
    found: Table = {}
    for pairs, length in HISTORIES:
        courses = {"": history.course(pairs, length, random.Random(pairs))}
        if (pairs, length) == (10, 2000):
            courses[", 100 an hour"] = history.course(pairs, length, random.Random(pairs), most=100)
        for suffix, course in courses.items():
            for engine in history.ENGINES:
                row = found.setdefault(f"{engine.name}{suffix}", {})
                try:
                    row["version"] = version(engine.package) if engine.package else ""
                    row[f"{pairs}/{length}"] = _history(engine, course, rounds)
                except WrongAnswerError:
                    raise
                except Exception as error:  # noqa: BLE001 as above
                    row["fault"] = without(error)
    return found


def _history(engine: history.Engine, course: history.Course, rounds: int) -> float:
    """One engine on one course: answers compared, then timed, from the same past each time."""
    pairs = list(zip(course.asked, course.right, strict=True))
    ask = engine.begin(course)
    if engine.only_allowed:
        yes = [e for e, allowed in pairs if allowed]
        check(engine.name, [ask(e) for e in yes], [True] * len(yes))
        no = {e for e, allowed in pairs if not allowed}
        check(engine.name, [engine.begin(course)(e) for e in no], [False] * len(no))
    else:
        yes = course.asked
        check(engine.name, [ask(e) for e in yes], course.right)
    best = float("inf")
    slow = microseconds(engine.begin(course), yes[:10], 1, 10) > 100
    again = [] if slow or engine.only_allowed else [e for e, allowed in pairs if not allowed] * 10
    for _ in range(rounds if slow else 5 * rounds):
        del ask
        gc.collect()  # else each engine gets whatever memory the last one has left
        ask = engine.begin(course)
        # What is denied changes nothing, and brings the code of each rule to the speed that it has in the long run.
        for e in again:
            ask(e)
        best = min(best, microseconds(ask, yes, 1, 5 if slow else 25))
    return best


def measure_columns() -> Table:
    return {str(count): _columns(count, 100_000) for count in (1, 10, 100, 1000)}


def _columns(count: int, rows: int) -> float:
    import columns
    import pyarrow as pa

    from policydsl.interp import initial
    from runtime.columns_decide import decide_table, plan
    from runtime.columns_in import from_arrow

    chance = random.Random(count)
    made = columns.rules(count, chance)
    policy, asked = columns.system(made), columns.requests(rows, made, chance)
    given = dict(zip((i.name for i in columns.INPUTS), map(list, zip(*asked, strict=True)), strict=True))
    (table,) = from_arrow(policy, pa.table(given), action="ask").tables
    state, how = initial(policy), plan(policy.actions[0])
    taken, decisions = columns.timed(lambda: decide_table(policy, state, table, how), 5)
    answer = columns.closure(made)
    check("columns", decisions.allowed.tolist(), [answer(q) for q in asked])
    return taken / rows / 1000


# Words


def line(cells: list[str], widths: list[int]) -> str:
    return "  ".join([cells[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))])


def show(title: str, headings: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(r[i]) for r in [headings, *rows]) for i in range(len(headings))]
    print(f"\n{title}\n" + "\n".join(line(r, widths) for r in [headings, *rows]), flush=True)


def number(value: object) -> str:
    if not isinstance(value, float):
        return "-"
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def show_engines(title: str, columns: list[str], found: Table) -> None:
    rows = [[f"{n} {r.get('version', '')}".strip(), *(number(r.get(c)) for c in columns)] for n, r in found.items()]
    show(title, ["", *columns], rows)
    for name, row in found.items():
        if "fault" in row:
            print(f"{name}: {row['fault']}")


def show_all(found: Table) -> None:
    if "rules" in found:
        sizes = [c for c in next(iter(found["rules"].values())) if c.isdigit()]
        show_engines("µs per decision, by number of rules", sizes, found["rules"])
    if "history" in found:
        cases = [f"{p}/{n}" for p, n in HISTORIES]
        show_engines("µs per decision, by pairs of rules / past events", cases, found["history"])
    if "columns" in found:
        cells = [f"{v:.3f}" for v in found["columns"].values()]
        show("µs per decision in columns, by number of rules", ["", *found["columns"]], [["columns", *cells]])
    if "durable" in found:
        one = [[n, number(c["wall"]), number(c["cpu"])] for n, c in found["durable"]["one by one"].items()]
        show("µs until a decision is on the disk", ["", "wall", "processor"], one)
        group = found["durable"]["per second"]
        cells_by_size = [[n, *(f"{v:,.0f}" for v in by.values())] for n, by in group.items()]
        show("decisions a second, by threads that ask", ["", *next(iter(group.values()))], cells_by_size)
    if "footprint" in found:
        f = found["footprint"]
        taken, python = f["import"]["milliseconds"], f["import"]["python"]
        print(f"\nimport: {taken:.0f} ms of processor time, beside {python:.0f} ms of Python's own start")
        for case, m in f["memory"].items():
            heavy = ", ".join(m["heavy"]) or "none of the heavy modules"
            print(f"{case}: {m['deciding']:.0f} MB resident ({m['bare']:.0f} MB of Python), loaded: {heavy}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=AIMS, default=list(AIMS))
    parser.add_argument("--rules", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where the stores are made; the disk that counts")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each number of threads decides")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    parts: dict[str, Callable[[], Table]] = {
        "rules": lambda: measure_rules(options.rules, options.rounds),
        "history": lambda: measure_history(options.rounds),
        "columns": measure_columns,
        "durable": lambda: measure_durable(options.folder, options.seconds),
        "footprint": measure_footprint,
    }
    load = os.getloadavg() if hasattr(os, "getloadavg") else ()
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "load": load}
    print(f"Python {machine['python']}, {machine['cores']} cores, load {', '.join(f'{x:.1f}' for x in load)}")
    found: Table = {"machine": machine}
    for part in options.only:
        found[part] = parts[part]()
        show_all({part: found[part]})
        print(f"aim: {AIMS[part]}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def measure_durable(folder: str | None, seconds: float) -> Table:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        return durable.measure(Path(place), [1, 1000], 300, seconds)


def measure_footprint() -> Table:
    cases = {"1 rule": (1, "memory:"), "1,000 rules": (1000, "memory:"), "1,000 rules, SQLite": (1000, "state.db")}
    return {"import": footprint.importing(), "memory": {n: footprint.memory(*case) for n, case in cases.items()}}


if __name__ == "__main__":
    try:
        main()
    except WrongAnswerError as error:
        sys.exit(f"error: {error}")
