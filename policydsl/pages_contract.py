"""Pages of what in a policy no contract on a chain can say: found by `policyctl emit`."""

from __future__ import annotations

from policydsl.page import Page

_ADMINS = "entity Bot\ngroup Admins of Bot\n\n"

PAGES: dict[str, Page] = {
    "U101": Page(
        "a text in a contract",
        "Texts as inputs, in the state, or compared with a pattern have no counterpart in a contract: every byte would "
        "cost gas, and a regular language far more than a block may.",
        'entity Bot\n\naction say(principal: Bot, text: String) {\n  require text like "hello*"\n}\n',
        "Let an `entity` stand for the text: in the contract it is a hash, and the text itself stays off the chain.",
    ),
    "U102": Page(
        "a contract that asks about everybody",
        "`forall`, `exists` and `sum` in a condition or a value are about all individuals, of whom there is no end. A "
        "contract knows only whom it is told about.",
        "entity Bot\nstate busy : Bot -> Bool = false\n\naction start(principal: Bot) {\n"
        "  require not (exists b: Bot . busy[b])\n  busy[principal] := true\n}\n",
        "Keep what is asked for in a variable of its own, such as a count, and state as an `invariant` what it is.",
    ),
    "U103": Page(
        "a `for each` that a contract cannot walk",
        "A contract walks the list of those of whom it knows something. That is exact only when the `for each` leaves "
        "everybody else alone, when it is over one individual at a time, and when it reads nothing that another write "
        "of the same step changes.",
        "entity Bot\nstate credit : Bot -> Int = 0\n\naction gift() {\n  for each b: Bot { credit[b] += 1 }\n}\n",
        "Add a condition that strangers do not meet, such as `where b in Members`, or do the writes in two actions.",
    ),
    "U104": Page(
        "a contract that waits for a human",
        "An `approve` rule asks a human, and no caller of a contract can prove that one has said yes.",
        f"{_ADMINS}action pay(principal: Bot)\n\npermit pays on pay when principal in Admins\n\n"
        "approve by_admin on pay by Admins within 1h\n",
        "Make the approval an action of its own, which those who approve call, and require it in the other.",
    ),
    "U105": Page(
        "a contract with an obligation",
        "An obligation is to be done beside the answer, and on a chain there is nobody who would see to it.",
        'entity Bot\n\naction send(principal: Bot) {}\n\npermit sends on send then log("a message was sent")\n',
        "Leave it out: every allowed call leaves an event in the log of the chain already.",
    ),
    "U106": Page(
        "a contract that reserves and commits",
        "`two phase` is a dialogue between a gateway and a tool that can fail between the two phases. A transaction is "
        "done, or it is not.",
        "entity Call\nstate held : Call -> Bool = false\n\n"
        "action hold(call: Call) {\n  require not held[call]\n  held[call] := true\n}\n"
        "action settle(call: Call) {\n  require held[call]\n  held[call] := false\n}\n"
        "action drop(call: Call) {\n  require held[call]\n  held[call] := false\n}\n\n"
        "two phase call: reserve by hold, commit by settle, abort by drop\n",
        "Leave the `two phase` out: the three actions are functions by themselves.",
    ),
    "U107": Page(
        "a start that a contract cannot have",
        "Untouched storage is zero. A map may start with another constant, or a number that a parameter gives, and a "
        "set with members that the constructor is told. Other starts that differ for each individual, or that may be "
        "anything, would have to be written for everybody.",
        "entity Bot\nstate credit : Bot -> Int = any\n\naction spend(principal: Bot) {\n"
        "  require credit[principal] > 0\n  credit[principal] -= 1\n}\n",
        "Start with a constant, and let an action set what differs.",
    ),
    "U108": Page(
        "a named individual that is nobody's address",
        "An individual with a name is an address that the constructor is given, so its sort has to be one whose "
        "individuals ask.",
        "entity Bot\nentity Tool { hammer }\nstate used : Tool -> Int = 0\n\n"
        "action use(principal: Bot) {\n  used[hammer] += 1\n}\n",
        "Make it a case of an `enum`, or an input.",
    ),
    "U109": Page(
        "a caller that is no individual",
        "Who calls a contract is an address, so the principal has to be an individual of some entity.",
        "state last : Int = 0\n\naction come(principal: Int) {\n  last := principal\n}\n",
        "Declare an `entity`, and make the principal one of it.",
    ),
    "U110": Page(
        "a number that a contract cannot hold",
        "Integers of a contract have 256 bits.",
        "entity Bot\nstate sum : Int = 0\n\naction add(principal: Bot) {\n"
        f"  require sum < 1{'0' * 50} * 1{'0' * 50}\n  sum += 1\n}}\n",
        "Use smaller units.",
    ),
}
