"""Pages of what cannot be kept in state: sums over everyone, and conditions on the past."""

from __future__ import annotations

from policydsl.page import Page

_TOTAL = "invariant total: sum(b: Bot . points[b]) >= 0\n"

PAGES: dict[str, Page] = {
    "E340": Page(
        "a sum to which everyone's contribution changes at once",
        "A sum is kept as a running total: when an action writes the contribution of somebody, the difference is "
        "added. Here the contribution of everyone depends on a piece of state that does not belong to the individual "
        "that is summed over, and an action changes it; the total would change by an amount that nobody can add up.",
        "entity Bot\n\nstate points: Bot -> Int = 0\nstate cap: Int = 10\n\n"
        "action earn(principal: Bot) { points[principal] += 1 }\naction raise() { cap += 1 }\n\n"
        "invariant total: sum(b: Bot . min(points[b], cap)) >= 0\n",
        "Use that state outside the sum, or keep a copy for each individual, written when it acts. A condition that "
        "stands alone or under `and` in `where` is moved out of the sum by itself.",
    ),
    "E341": Page(
        "a bulk update of what is summed",
        "A `for each` changes the contributions of everyone at once, so the running total cannot follow it.",
        "entity Bot\n\nstate points: Bot -> Int = 0\n\naction earn(principal: Bot) { points[principal] += 1 }\n"
        "action reset() {\n  for each b: Bot { points[b] := 0 }\n}\n\n" + _TOTAL,
        "Start a new round instead: key the map by the round too, and sum over the current one.",
    ),
    "E342": Page(
        "a sum that is not finite at first",
        "There are infinitely many possible individuals. A sum over all of them exists only when finitely many "
        "contribute, so in the initial state nobody in particular may contribute.",
        "entity Bot\n\nstate points: Bot -> Int = 100\n\naction spend(principal: Bot) { points[principal] -= 1 }\n\n"
        + _TOTAL,
        "Sum over those that are known: `sum(b: Bot where registered[b] . points[b])`, with `registered` false at "
        "first. State that is `= any` at first is fine: the total is then any number too, that of a finite population.",
    ),
    "E343": Page(
        "a sum that depends on the request",
        "A running total can be kept for each individual, but not for each number or text that a request may bring.",
        "entity Bot\n\nstate points: Bot -> Int = 0\n\naction earn(principal: Bot, n: Int) {\n"
        "  require count(b: Bot where points[b] > n) < 3\n  points[principal] += 1\n}\n",
        "Compare with a constant or a parameter inside the sum, and with the request outside it.",
    ),
    "E344": Page(
        "a sum over what is reached in two hops",
        "The running total follows a write by its keys. Where the sum reads `m[f[b]]`, a write of `m` may change the "
        "contributions of any number of individuals.",
        "entity Bot\n\nstate points: Bot -> Int = 0\nstate delegate: Bot -> Bot = any\n\n"
        "action earn(principal: Bot) { points[principal] += 1 }\naction follow(principal: Bot, leader: Bot) {\n"
        "  delegate[principal] := leader\n}\n\ninvariant total: sum(b: Bot . points[delegate[b]]) >= 0\n",
        "Keep what is summed in a map of its own, keyed by the individual that is summed over.",
    ),
    "E345": Page(
        "a sum inside a sum",
        "The contribution of an individual is itself a sum, or asks about all individuals; it may change for everyone "
        "in one step.",
        "entity Bot\n\nstate points: Bot -> Int = 0\n\naction earn(principal: Bot) { points[principal] += 1 }\n\n"
        "invariant nobody_tops: count(b: Bot where forall c: Bot . points[b] > points[c]) == 0\n",
        "Keep the inner part in a state variable, and sum over that.",
    ),
    "E346": Page(
        "a sum that mixes two states",
        "Inside one sum of a step property, some state is read before the step and some after it.",
        "entity Bot\n\nstate points: Bot -> Int = 0\n\naction earn(principal: Bot) { points[principal] += 1 }\n\n"
        "step grows: sum(b: Bot . points[b] - old(points[b])) >= 0\n",
        "Take two sums: `sum(b: Bot . points[b]) >= old(sum(b: Bot . points[b]))`.",
    ),
    "E347": Page(
        "a sum that changes for all pairs at once",
        "The sum is about two individuals of one kind that no key of a map tells, so that a single write changes it "
        "for every pair of them.",
        "entity Bot\n\nstate points: Bot -> Int = 0\n\naction earn(principal: Bot) { points[principal] += 1 }\n\n"
        "invariant others:\n  forall x: Bot, y: Bot . sum(b: Bot where b != x and b != y . points[b]) >= 0\n",
        "Sum over everyone, and subtract what the two contribute.",
    ),
    "E551": Page(
        "a count that remembers too much",
        "A count over a window is exact: the enforcer keeps as many time stamps, for each key, as the count asks for. "
        "At most 64 are kept.",
        "entity Bot\n\naction send(principal: Bot) {\n  require count(send by principal within 1h) < 100\n}\n",
        "Write a `limit`: above 64 it counts in quarters of the window, so that no window has more than "
        "the limit allows, and some a few less. Or use a lower number over a shorter window.",
    ),
    "E552": Page(
        "the past of an action for each number or text",
        "The past is remembered for each individual, and apart for each case of an enum or Boolean. For each number or "
        "text that a request may bring it would grow without bound.",
        "entity Bot\n\naction send(principal: Bot, text: String) {\n  require not once (send(principal, text))\n}\n",
        "Write `_` in its place, compare it with a constant, or make what it stands for an entity.",
    ),
    "E553": Page(
        "the past of a condition on the request",
        "What stands after `once`, `historically`, `previously` or before `since` is asked of earlier states. The "
        "numbers and texts of the present request do not belong to them, and there are too many to keep an answer "
        "for each.",
        "entity Bot\n\nstate level: Int = 0\n\naction set_level(principal: Bot, n: Int) { level := n }\n\n"
        "action send(principal: Bot, n: Int) {\n  require historically (level <= n)\n}\n",
        "Compare with a constant, or with state, or ask for the past of an action: `once (set_level(_, 3))`.",
    ),
    "E554": Page(
        "the past of a condition on two individuals of one kind",
        "An answer would have to be kept, and brought up to date at each request, for every pair of individuals of one "
        "entity.",
        "entity Bot\n\nstate trust: (Bot, Bot) -> Int = 0\n\naction rate(principal: Bot, other: Bot) {\n"
        "  trust[principal, other] += 1\n}\n\naction send(principal: Bot, other: Bot) {\n"
        "  require once (trust[principal, other] > 3)\n}\n",
        "Ask for the past of an action that names both, `once (rate(principal, other))`, or set a state variable when "
        "the condition comes true.",
    ),
    "E555": Page(
        "something named before `leads to` that changes",
        "The goal of an `eventually` is about a later state. An individual that is named in the condition, as by "
        "`worker[j] has w`, is the same one in the goal; a number, a text or a case that is read from the state may be "
        "something else by then.",
        "entity Job\n\nstate due: Job -> Int? = none\nstate paid: Job -> Int = 0\n\n"
        "action ask(job: Job, n: Int[1..9]) { due[job] := n }\n\nfair action pay(job: Job) {\n"
        "  require due[job] has n\n  paid[job] := n\n  due[job]  := none\n}\n\n"
        "eventually settled: forall j: Job . due[j] has n leads to paid[j] == n\n",
        "Say it of the state at the time of the goal, `leads to due[j] == none`, or of each value by itself.",
    ),
    "E556": Page(
        "a sum over a window where only an exact number would do",
        "A sum over a window is kept in quarters of it, so it is known to be at least one number and at most another. "
        "Guards and claims take the one that is on the safe side: in `require sum(...) <= 9` it is at its most, in "
        "`require sum(...) >= 9` at its least. What is assigned, handed over with an obligation or remembered has no "
        "safe side.",
        "entity Bot\n\nstate spent: Int = 0\n\naction spend(principal: Bot, amount: Int[0..10]) {\n"
        "  spent := sum(spend.amount within 1h)\n}\n",
        "Compare the sum in the condition of a rule or a claim, use a `budget`, or count: `count(spend within 1h)`.",
    ),
}
