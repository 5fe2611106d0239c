"""What a process that decides costs before it decides: the time of the import, memory, and what is loaded at all."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from peers.stateless import bundle
from peers.workload import Request, policy, requests, rules

ROOT = Path(__file__).parent.parent
HEAVY = ("z3", "cvc5", "lark", "verifier", "numpy", "pyarrow", "networkx", "pydantic", "rich", "click", "cryptography")
IMPORT = "from policyctl import Enforcer"

CHILD = """
import json, resource, sys
def resident():
    # Not the peak that the system reports: a child inherits that of who started it.
    try:
        return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
bare = resident()
from policyctl import Enforcer
imported = resident()
enforcer = Enforcer.open({path!r}, {state!r}, unproved=True)
assert enforcer.fault is None, enforcer.fault
answers = [enforcer.decide(a, **given).allowed for a, given in json.load(sys.stdin)]
print(json.dumps({{"bare": bare, "imported": imported, "deciding": resident(), "allowed": sum(answers),
    "modules": len(sys.modules), "heavy": [m for m in {heavy!r} if m in sys.modules]}}))
"""


def importing(times: int = 10) -> dict[str, object]:
    """Milliseconds of processor time that the import adds to starting Python, and what takes longest of it."""
    with tempfile.TemporaryDirectory() as cache:
        # As it is once installed: compiled, wherever this is run.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        _cpu(IMPORT, environment)
        bare, with_it = (min(_cpu(code, environment) for _ in range(times)) for code in ("pass", IMPORT))
        command = [sys.executable, "-X", "importtime", "-c", IMPORT]
        found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    rows = re.findall(r"import time:\s+(\d+) \|\s+(\d+) \| +(\S+)", found.stderr)
    longest = sorted(((int(own) / 1000, name) for own, _, name in rows), reverse=True)[:8]
    return {"milliseconds": (with_it - bare) * 1000, "python": bare * 1000, "longest": longest}


def _cpu(code: str, environment: Mapping[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def memory(count: int, state: str = "memory:") -> dict[str, object]:
    """Megabytes of a process that has decided under so many rules, and which of the heavy modules it has loaded."""
    chance = random.Random(count)
    made = rules(count, chance)
    asked = [_given(q) for q in requests(1000, made, chance)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.bundle"
        path.write_bytes(bundle(policy(made)))
        where = state if state == "memory:" else str(Path(folder) / state)
        code = CHILD.format(path=str(path), state=where, heavy=HEAVY)
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def _given(q: Request) -> tuple[str, dict[str, object]]:
    return q.action, {"role": q.role, "path": q.path, "amount": q.amount, "channel": q.channel}
