"""Measures what a decision of the committee costs: messages, simulated time and processor time, at several sizes.

    python benchmarks/consensus.py [--sizes 4 16 64 256] [--signed 16] [--requests 8]

Every run is the whole protocol, message by message, on a network of one region (`LOW`), one request after the other:
with every member correct; with f silent members, the first leader among them; and, up to `--signed` members, with real
Ed25519 signatures that every receiver checks. Processor times are milliseconds per decision in one process, the least
of several runs, everything included that a run needs; `us` is microseconds per message. `decided` is simulated: from
the request until f+1 correct members have executed it, the mean over requests. With silent members, the first request
waits for the time-out of its leader and for a view change.

Signatures are otherwise the notary's book (a look-up), and what a certificate says is checked once for all members,
which a real committee cannot save: only the rows `signed` have what cryptography costs. No sockets, disks or parsing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping

from simulator.consensus.byzantine import Fault
from simulator.consensus.outcome import Outcome, Submission
from simulator.consensus.run import decide
from simulator.consensus.signatures import Ed25519Notary
from simulator.consensus.state import settings_for
from simulator.network import LOW, Network
from simulator.random_streams import Draw

HEADINGS = ("n", "f", "case", "decided ms", "messages", "CPU ms", "us", "view")
CLIENT = 1_000_000
APART = 2000
"""Milliseconds between requests."""


def run(n: int, requests: int, faults: Mapping[int, Fault], signed: bool) -> Outcome:
    return decide(
        range(n),
        Network(LOW),
        Draw(1, 0, 0, "benchmark"),
        [Submission(APART * i, CLIENT, f"value {i}") for i in range(requests)],
        faults=faults,
        settings=settings_for(LOW),
        until=10_000_000,
        notary=Ed25519Notary(1) if signed else None,
    )


def row(n: int, case: str, requests: int, repeats: int) -> tuple[str, ...]:
    f = (n - 1) // 3
    faults = dict.fromkeys([0, *range(n - f + 1, n)], Fault.SILENT) if case == "silent" else {}
    costs = []
    for _ in range(repeats):
        start = time.process_time()
        outcome = run(n, requests, faults, case == "signed")
        costs.append(time.process_time() - start)
        assert outcome.is_safe
        assert outcome.is_live
    waits = [d.certain - d.submitted for d in outcome.decisions if d.certain is not None]
    messages = sum(outcome.messages.values())
    return (
        str(n),
        str(f),
        case,
        f"{sum(waits) / len(waits):.0f}",
        f"{messages / requests:,.0f}",
        f"{1000 * min(costs) / requests:.2f}",
        f"{1e6 * min(costs) / messages:.2f}",
        str(max(outcome.views)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 7, 16, 31, 64, 100, 256])
    parser.add_argument("--signed", type=int, default=16, help="the largest committee with real signatures")
    parser.add_argument("--silent", type=int, default=64, help="the largest committee with silent members")
    parser.add_argument("--requests", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    print("".join(f"{h:>12}" for h in HEADINGS))
    for n in args.sizes:
        cases = ["correct"] + ["silent"] * (n <= args.silent) + ["signed"] * (n <= args.signed)
        for case in cases:
            print("".join(f"{c:>12}" for c in row(n, case, args.requests, args.repeats)), flush=True)


if __name__ == "__main__":
    main()
