"""Measures the simulator: a small workload beside Mesa, the scenarios that ship, large populations.

    python benchmarks/simulate.py [--only workload scenarios whole sizes] [--mesa 2000] [--ticks 300]

`workload` is `gov_lite.py`: agent-steps (a bot in a tick) for each second of the processor, of one core. `scenarios`
are runs of the engine: every act of every bot decided by the enforcer, with and without the seven agents. `whole` is
`stress_test` as it ships, from its first tick to its last. `sizes` are a hundred thousand and a million bots. What is
not installed is named. Scikit-learn is loaded before ticks are measured; how long that takes is said.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from importlib import import_module

from gov_lite import Enforced, Plain, in_mesa, speed

from simulator.engine import begin
from simulator.scenario import SHIPPED, load, with_settings

PARTS = ("workload", "scenarios", "whole", "sizes")


def workload(mesa: int, ticks: int) -> None:
    print("workload: million agent-steps per CPU-second\n")
    print(f"{'bots':>9}  {'NumPy':>8}  {'with the enforcer':>18}  {'Mesa':>8}  {'ratio':>12}")
    for bots in (1_000, 10_000):
        plain = speed(Plain(bots), bots, ticks)
        enforced = speed(Enforced(bots, ticks + 2), bots, ticks)
        try:
            other = speed(in_mesa(mesa), mesa, max(3, 60_000 // mesa))
            said = f"{other / 1e6:8.2f}  {plain / other:5.0f} {enforced / other:6.0f}"
        except ImportError as error:
            said = f"{error.name} is not installed"
        print(f"{bots:9,}  {plain / 1e6:8.1f}  {enforced / 1e6:18.1f}  {said}")


def scenarios(ticks: int) -> None:
    print(f"\nscenarios: CPU of {ticks} ticks, begun at the attack; everything asked of the enforcer\n")
    print(f"{'scenario':24}  {'bots':>7}  {'agents':>7}  {'ms a tick':>9}  {'M agent-steps/s':>15}  {'requests/s':>11}")
    for name in SHIPPED:
        for settings, said in (([], "seven"), (["agents=[]"], "none")):
            scenario = with_settings(load(name), [*settings, "attack_begins=50"])
            engine = begin(scenario, scenario.seed)
            for _ in range(50):
                engine.step()
            asked, begun = 0, time.process_time()
            for _ in range(ticks):
                engine.step()
                asked += sum(a.size for a in engine.gateway.asked)
            spent = time.process_time() - begun
            rate = scenario.bots * ticks / spent / 1e6
            row = f"{name:24}  {scenario.bots:7,}  {said:>7}  {1000 * spent / ticks:9.2f}  {rate:15.2f}"
            print(f"{row}  {asked / spent:11,.0f}")


def whole() -> None:
    scenario = load("stress_test")
    engine = begin(scenario, scenario.seed)
    costs = []
    for _ in range(scenario.ticks):
        begun = time.process_time()
        engine.step()
        costs.append(1000 * (time.process_time() - begun))
    ordered = sorted(costs)
    half, late = ordered[len(ordered) // 2], ordered[len(ordered) * 95 // 100]
    print(
        f"\nwhole: stress_test with seven agents, {scenario.ticks:,} ticks: {sum(costs) / 1000:.1f} s of the processor"
    )
    print(f"ms a tick: {sum(costs) / len(costs):.1f} on average, half of them up to {half:.1f}, 95 % up to {late:.1f}")


def sizes() -> None:
    print("\nsizes: the engine with all agents, normal_operation\n")
    print(f"{'bots':>9}  {'ticks':>5}  {'ms a tick':>9}  {'M agent-steps/s':>15}  {'peak MB':>8}")
    for bots, ticks in ((100_000, 60), (1_000_000, 12)):
        scenario = with_settings(load("normal_operation"), [f"bots={bots}", "attack_begins=5", f"ticks={ticks}"])
        engine = begin(scenario, scenario.seed)
        engine.step()
        begun = time.process_time()
        for _ in range(ticks):
            engine.step()
        spent = time.process_time() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{bots:9,}  {ticks:5}  {1000 * spent / ticks:9.1f}  {bots * ticks / spent / 1e6:15.2f}  {peak:8.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--mesa", type=int, default=2_000, help="bots in Mesa, whose speed depends little on it")
    parser.add_argument("--ticks", type=int, default=300)
    options = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "workload": lambda: workload(options.mesa, options.ticks),
        "scenarios": lambda: scenarios(options.ticks),
        "whole": whole,
        "sizes": sizes,
    }
    begun = time.process_time()
    import_module("sklearn.ensemble")
    print(f"loading scikit-learn, once: {time.process_time() - begun:.1f} s of the processor\n")
    for name in options.only:
        parts[name]()


if __name__ == "__main__":
    main()
