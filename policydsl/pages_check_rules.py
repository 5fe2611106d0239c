"""Pages of what the checker finds about actions, rules, properties, and conditions on the past."""

from __future__ import annotations

from policydsl.page import Page

PAGES: dict[str, Page] = {
    "E401": Page(
        "a requirement after an assignment",
        "A request is decided before anything changes: all that is required is about the state before the action.",
        "state seats: Int = 0\n\naction book() {\n  seats += 1\n  require seats <= 10\n}\n",
        "Put every `require` before the first assignment, and write it in terms of the state before: `seats < 10`.",
    ),
    "E402": Page(
        "a bulk assignment that is not about its individual",
        "Inside `for each b`, what is assigned has `b` as one of its keys, exactly once; otherwise all individuals "
        "would assign the same cell.",
        "entity Bot\n\nstate total: Int = 0\nstate trust: Bot -> Int = 0\n\n"
        "action decay() {\n  for each b: Bot { total := trust[b] }\n}\n",
        "Write `m[b] := ...`. A total over all individuals is a property: `sum(b: Bot where c . m[b])`.",
    ),
    "E403": Page(
        "a bulk assignment inside another",
        "`for each` ranges over the individuals of one entity, one at a time; a second range, even that of the members "
        "of a set, would make pairs.",
        "entity Bot\n\nstate met: (Bot, Bot) -> Bool = false\n\n"
        "action forget() {\n  for each a: Bot { for each b: Bot { met[a, b] := false } }\n}\n",
        "Assign one key at a time, or keep the reset as a version number that is compared.",
    ),
    "E404": Page(
        "an assignment to what cannot change",
        "Only what `state` declares changes. Inputs, constants, parameters and names given by `let` do not.",
        "const LIMIT = 3\n\naction raise_it() { LIMIT := 4 }\n",
        "Declare a state variable, or use `let` to name an intermediate value.",
    ),
    "E405": Page(
        "a requirement inside a bulk assignment",
        "A request is decided once, before the loop.",
        "entity Bot\n\nstate trust: Bot -> Int = 0\n\n"
        "action decay() {\n  for each b: Bot {\n    require trust[b] > 0\n    trust[b] -= 1\n  }\n}\n",
        "Ask before the loop: `require forall b: Bot . trust[b] > 0`; or select: `for each b: Bot where trust[b] > 0`.",
    ),
    "E406": Page(
        "a redact rule that does not say what is replaced",
        "What is replaced is the part of an input that its condition found.",
        "entity Bot\n\naction send(principal: Bot, urgent: Bool, text: String) { }\n\n"
        'redact keys on send when urgent replace with "[redacted]"\n',
        "Write `when text contains secret`, where `text` is an input and `secret` a pattern.",
    ),
    "E409": Page(
        "a group that is inside itself",
        "Groups contain groups, and groups of actions contain groups of actions, but not in a circle.",
        "entity Bot\n\ngroup Admins of Bot in Staff\ngroup Staff of Bot in Admins\n",
        "Remove one of the inclusions.",
    ),
    "E410": Page(
        "a type without values",
        "An enum needs a case, and a record cannot contain itself.",
        "record Node { next: Node }\n",
        "Give the enum a case. What refers to others is an entity with a map: `state next: Node -> Node? = none`.",
    ),
    "E412": Page(
        "an initial value that is not possible",
        "A state variable with a range starts in that range, and a set of individuals starts empty or with any "
        "members.",
        "state level: Int[0..10] = any\n",
        "Write an initial value. For any value at all, leave out the range and prove it as an invariant.",
    ),
    "E413": Page(
        "a property without its parts",
        "An invariant, a lemma and a reachable state are about all actions; an `eventually` says what it leads to.",
        "state seats: Int = 0\n\naction book() { seats += 1 }\n\ninvariant few on book: seats >= 0\n",
        "Leave out `on`, or make it an `assert` about requests or a `step` property about changes.",
    ),
    "E417": Page(
        "an assert about rules that never meet",
        "The rules of an assert are compared on the actions that they are all on, and there is none.",
        "action send(text: String) { }\naction post(text: String) { }\n\n"
        'forbid links on send when text contains "http"\nforbid spam on post when text contains "buy"\n\n'
        "assert never_both: not (forbid links and forbid spam)\n",
        "Put the rules on a common action, or make two asserts.",
    ),
    "E501": Page(
        "a window without a bound",
        "A count or a sum over the past needs a window, and a limit or budget both an amount and a window: the "
        "enforcer remembers a bounded part of the past.",
        "entity Bot\n\naction send(principal: Bot) {\n  require count(send by principal) < 3\n}\n",
        "Say how far back: `count(send by principal within 1h) < 3`. For the whole past, keep a state variable.",
    ),
    "E503": Page(
        "an action where a condition stands",
        "That an action happened is not a condition by itself, and functions, constants and tests do not know the "
        "past.",
        "entity Bot\n\naction login(principal: Bot) { }\n\naction send(principal: Bot) {\n"
        "  require login(principal)\n}\n",
        "Ask when it happened: `once (login by principal)`, or `once within 1h (login by principal)`.",
    ),
    "E504": Page(
        "a count that is not compared with a constant",
        "The enforcer remembers as many time stamps as a count is compared with, so that number must be known.",
        "entity Bot\n\nstate most: Int = 3\n\naction send(principal: Bot) {\n"
        "  require count(send by principal within 1h) < most\n}\n",
        "Compare it with a literal, a constant, or a parameter with a short range.",
    ),
    "E505": Page(
        "a temporal operator on what it does not apply to",
        "What stands after `since` is an action; `historically` is about a condition.",
        "entity Bot\n\nstate locked: Bool = false\n\naction lock() { locked := true }\n\n"
        "action send(principal: Bot) {\n  require not (lock since locked)\n}\n",
        "Name an action after `since`. For an action, `historically` is `not once`.",
    ),
    "E507": Page(
        "a window whose length is not known",
        "The length of a window is a constant positive duration: what the enforcer keeps depends on it.",
        "entity Bot\n\naction send(principal: Bot) {\n  require once within (0h) (send by principal)\n}\n",
        "Write a duration like `1h`, or the name of a constant.",
    ),
    "E508": Page(
        "a sum of what cannot be added up",
        "What is summed over a window is an input that is a number and never negative: otherwise requests could lower "
        "the sum, and a budget would not be one.",
        "entity Bot\n\naction spend(principal: Bot, amount: Int)\n\npermit all_spending on spend\n\n"
        "budget daily on spend.amount to 100 per 24h for each principal\n",
        "Declare the range of the input: `amount: Int[0..1_000_000]`.",
    ),
    "E509": Page(
        "a limit for each of what is not an input",
        "A limit or budget is kept for each value of inputs of the action, and, on several actions, of inputs that "
        "all of them have.",
        "entity Bot\n\nstate owner: Bot -> Bot = any\n\naction send(principal: Bot) { }\n\n"
        "limit rate on send to 20 per 1m for each owner[principal]\n",
        "Keep it for an input: `for each principal`.",
    ),
}
