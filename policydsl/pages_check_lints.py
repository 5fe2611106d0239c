"""Pages of what the checker warns about, and of its limits."""

from __future__ import annotations

from policydsl.page import Page

PAGES: dict[str, Page] = {
    "I911": Page(
        "functions that are inlined too often",
        "Functions are inlined. A few that call each other twice each become millions of copies.",
        "",
        "Let functions call each other less, or keep a result in the state.",
    ),
    "I912": Page(
        "a policy that is nested too deeply",
        "Expressions and calls of functions are nested beyond what can be checked.",
        "",
        "Split long expressions.",
    ),
    "W701": Page(
        "a declaration that is never used",
        "Nothing reads it. Often the place that should use it uses something else.",
        "const LIMIT = 3\n\nstate seats: Int = 0\n\naction book() {\n  require seats < 10\n  seats += 1\n}\n",
        "Use it or remove it.",
    ),
    "W702": Page(
        "a state variable that never changes",
        "No action assigns it, so it keeps its initial value for ever.",
        "state seats: Int = 0\nstate most: Int = 10\n\naction book() {\n  require seats < most\n  seats += 1\n}\n",
        "Assign it, make it a `const` or a `param`, or write `= any` when it is given from outside.",
    ),
    "W703": Page(
        "a name that hides another",
        "Inside this declaration, the name means something else than outside of it.",
        "entity Bot\n\nstate trust: Bot -> Int = 0\n\naction praise(bot: Bot, trust: Int[0..5]) { }\n\n"
        "invariant never_negative: forall b: Bot . trust[b] >= 0\n\naction reset(bot: Bot) { trust[bot] := 0 }\n",
        "Give one of them another name.",
    ),
    "W704": Page(
        "two rules that say the same",
        "They have the same effect on the same actions under the same condition.",
        "entity Bot\n\naction send(principal: Bot, text: String) { }\n\n"
        'forbid links on send when text contains "http"\nforbid urls on send when text contains "http"\n',
        "Remove one of them.",
    ),
    "W705": Page(
        "an enum case that is never used",
        "No expression mentions the case, so nothing ever has this value.",
        "enum Stage { Open, Closed, Archived }\n\nstate stage: Stage = Open\n\naction close() {\n"
        "  require stage == Open\n  stage := Closed\n}\n",
        "Remove the case, or say how it is reached.",
    ),
    "W706": Page(
        "a property that mentions no state",
        "It is true or false whatever the policy does.",
        "const LIMIT = 10\n\nstate seats: Int = 0\n\naction book() {\n  require seats < LIMIT\n  seats += 1\n}\n\n"
        "invariant positive_limit: LIMIT > 0\n",
        "Say something about the state, for example `seats <= LIMIT`.",
    ),
    "W707": Page(
        "an action that no rule permits",
        "An action without a body is denied unless a permit rule matches, and none names this one.",
        "entity Bot\n\naction send(principal: Bot, text: String)\n",
        "Write a permit rule, or a body: `action send(principal: Bot, text: String) { }`.",
    ),
    "W708": Page(
        "a rule that never matches",
        "Its condition is false for every request.",
        "entity Bot\n\naction send(principal: Bot, text: String) { }\n\n"
        'forbid nothing on send when text == "a" and not (text == "a")\n',
        "Correct the condition, or remove the rule.",
    ),
    "W712": Page(
        "a limit that counts more than it applies to",
        "The condition of a limit says when the limit applies. What is counted can be selected only by inputs that "
        "equal constants; under any other condition, every allowed request of the action counts.",
        "entity Bot\n\nstate trust: Bot -> Int = any\n\naction send(principal: Bot) { }\n\n"
        "limit rate on send when trust[principal] < 50 to 20 per 1m for each principal\n",
        "Split the action, or accept that the limit is stricter.",
    ),
    "W713": Page(
        "a time that means nothing",
        "No part of the policy depends on time, so the time of a request in a test changes nothing.",
        "state seats: Int = 0\n\naction book() { seats += 1 }\n\n"
        'invariant some: seats >= 0\n\ntest "late" { at 5m book() expect allow }\n',
        "Leave out `at`.",
    ),
}
