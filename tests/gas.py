"""What calls of the governance contract cost, measured; run as a script, it writes the table in docs/contract.md."""

from __future__ import annotations

import re

from evm import GOVERNANCE, ROOT, artifact, deployed

from policydsl.core.system import NOW
from policydsl.core.types import Value
from policydsl.interp import Request
from runtime.evm import Evm

DOCUMENT = ROOT / "docs" / "contract.md"
TABLE = re.compile(r"\| Gas \|.*?\n\n", re.DOTALL)
MORE = 10


def costs(members: int, voters: int, evm: Evm | None = None) -> dict[str, int]:
    """The gas of each function with an auditor and so many members, of whom so many vote; that of the last call, where
    there are several."""
    names = tuple(f"b{i}" for i in range(members))
    people = {"Bot": (*names, "judy", "newcomer"), "Proposal": ("p1", "p2", "p3", "p4"), "Payload": ("upgrade",)}
    starts = {"Members": names, "Auditors": ("judy",)}
    twin = deployed(GOVERNANCE, artifact("Governance"), {"QUORUM": 100}, starts, people, evm=evm)
    found = {"constructor": twin.cost}

    def ask(hour: int, action: str, **inputs: Value) -> None:
        if any(i.name == NOW for i in GOVERNANCE.action(action).inputs):
            inputs[NOW] = hour * 3_600_000
        receipt = twin.ask(Request(action, inputs)).receipt
        assert receipt.ok, (action, inputs)
        found[twin.names.functions[action]] = receipt.gas

    for p in people["Proposal"]:
        ask(1, "draft", principal="b0", proposal=p, what="upgrade")
        ask(1, "submit", principal="b0", proposal=p)
        ask(1, "open_voting", proposal=p)
    ask(2, "vote", principal="b0", proposal="p2", support=False)
    for name in names[:voters]:
        ask(2, "vote", principal=name, proposal="p1", support=True)
    for p in ("p3", "p2", "p1"):
        ask(26, "close_voting", proposal=p)
    ask(26, "archive", proposal="p2")
    ask(26, "penalise", proposal="p3")
    ask(26, "withdraw", principal="b0", proposal="p4")
    ask(74, "execute", proposal="p1")
    ask(74, "monitor", proposal="p1")
    ask(74, "collect_feedback", principal="judy", proposal="p1", good=True)
    ask(74, "update_reputation", proposal="p1")
    ask(74, "optimize", proposal="p1")
    ask(74, "settle", proposal="p1")
    ask(75, "report_conduct", principal="judy", about="b0", good=True)
    ask(200, "decay")
    ask(201, "admit", principal="judy", newcomer="newcomer")
    return found


def table() -> str:
    """With two members and an auditor; then how much more with each member, and with each who votes."""
    few, idle, busy = costs(2, 2), costs(2 + MORE, 2), costs(2 + MORE, 2 + MORE)
    lines = ["| Gas | with 3 on the roll | each more on it | each more who voted |", "|---|---:|---:|---:|"]
    for name, gas in few.items():
        more = (round((many[name] - least[name]) / MORE) for many, least in ((idle, few), (busy, idle)))
        lines.append(f"| `{name}` | {gas:,} | {' | '.join(f'{x:,}' if abs(x) > 99 else '' for x in more)} |")
    return "\n".join(lines) + "\n\n"


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(TABLE.sub(lambda _: table(), text), encoding="utf-8")
