"""Pages of what the checker finds about what the enforcer is told: what it may allow when, what belongs together."""

from __future__ import annotations

from policydsl.page import Page

_CALLS = """\
entity Call

state held: Call -> Bool = false
state paid: Call -> Int = 0

action hold(call: Call) {
  require not held[call]
  held[call] := true
}
"""
_SETTLE = """\
action settle(call: Call, cost: Int[0..100]) {
  require held[call]
  held[call] := false
  paid[call] += cost
}
"""
_DROP = "action drop(call: Call) {\n  require held[call]\n  held[call] := false\n}\n"
_PAID = "\ninvariant nobody_gains: forall c: Call . paid[c] >= 0\n"
_PHASES = "\ntwo phase call: reserve by hold, commit by settle, abort by drop\n"

PAGES: dict[str, Page] = {
    "E418": Page(
        "an action that is allowed without state, and does more than read",
        "While the store of the state is away, the enforcer can decide from the state it last knew, but keep nothing. "
        "What it then allows must change nothing, must not be remembered by any rule, limit or condition on the past, "
        "and must ask nothing of anybody: no approval, no obligation.",
        "entity Bot\n\naction read_status(principal: Bot) { }\n\n"
        "limit rate on read_status to 5 per 1m for each principal\n\nallow read_status while unavailable\n",
        "Leave the action out, or take the rule off it.",
    ),
    "E419": Page(
        "an action that is allowed twice in the same situation",
        "One of the two says nothing. If it is taken out later, the other still stands.",
        "entity Bot\n\naction audit(principal: Bot) { }\naction lift(principal: Bot) { }\n\n"
        "allow audit, lift while locked down\nallow audit while locked down\n",
        "Name each action once.",
    ),
    "E420": Page(
        "an action in two phases",
        "The enforcer sees from the action alone which effect a request belongs to, and whether it begins or ends it.",
        _CALLS + "\n" + _SETTLE + _PAID + "\ntwo phase call: reserve by hold, commit by settle, abort by settle\n",
        "Write an action for each phase.",
    ),
    "E421": Page(
        "an input that has another type than in the reservation",
        "When a reservation is committed, aborted or expires, inputs that it has in common with the reservation get "
        "their values from there, so they have the same type, with the same range.",
        _CALLS
        + "\n"
        + _DROP
        + "\naction settle(call: Int[0..100]) { }\n"
        + _PAID.replace("paid[c] >= 0", "paid[c] == 0 or held[c]")
        + _PHASES,
        "Give both the same type. Two different things have two names.",
    ),
    "E422": Page(
        "an input that the reservation does not know",
        "A reservation is aborted or expires without anybody being asked: all that is known then is what it began "
        "with. A commit may bring something new, such as what a call did cost.",
        _CALLS + "\n" + _SETTLE + "\naction drop(call: Call, fee: Int[0..9]) {\n  require held[call]\n"
        "  held[call] := false\n  paid[call] += fee\n}\n" + _PAID + _PHASES,
        "Make it an input of the reservation, or leave it out.",
    ),
    "W714": Page(
        "a reservation that is never undone",
        "An abort writes nothing of what the reservation wrote, so what was promised for an effect that never happened "
        "stays promised.",
        _CALLS + "\n" + _SETTLE + "\naction drop(call: Call) {\n  require held[call]\n}\n" + _PAID + _PHASES,
        "Take back in the abort what the reservation put aside.",
    ),
    "W715": Page(
        "an abort or expiry that a person must approve",
        "When a call came to nothing, or nothing is heard of it, the enforcer ends its reservation by itself. If that "
        "needs an answer, what was promised counts until somebody gives one, and it never expires.",
        _CALLS + "\n" + _SETTLE + "\n" + _DROP + _PAID + _PHASES + "\napprove late on drop by human within 10m\n",
        "Take the rule off, or have people approve the reservation or the commit.",
    ),
}
