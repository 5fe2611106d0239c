"""Pages of what the checker finds about names, modules and tests."""

from __future__ import annotations

from policydsl.page import Page

PAGES: dict[str, Page] = {
    "E101": Page(
        "a name that nothing has",
        "The name is neither an input nor a state variable, constant, parameter, enum case or individual that is known "
        "at this place. A rule about something that does not exist would never fire, so it is an error.",
        "state seats: Int = 0\n\naction book() {\n  require seat < 10\n  seats += 1\n}\n",
        "Correct the spelling, or declare the name.",
    ),
    "E102": Page(
        "a type that nothing has",
        "Types are `Bool`, `Int`, `Time`, `Duration`, `String`, and the entities, enums and records of the policy.",
        "entity Bot\n\nstate trust: Bots -> Int = 0\n",
        "Correct the spelling, or declare the type: `entity Bots`.",
    ),
    "E103": Page(
        "a field or case that does not exist",
        "A record has the fields that it declares, an enum its cases, and nothing else has fields.",
        "enum Stage { Open, Closed }\n\nstate stage: Stage = Stage.Opened\n",
        "Use a declared field or case. An attribute of an entity is a map: `trust[bot]`, not `bot.trust`.",
    ),
    "E104": Page(
        "a name that is declared twice",
        "Each name means one thing. Types, state, constants, functions, groups and actions share their names; rules, "
        "properties and obligations have names of their own kind.",
        "state seats: Int = 0\nstate seats: Int = 1\n",
        "Rename or remove one of the two.",
    ),
    "E105": Page(
        "a name that is taken",
        "A few names have a meaning in every policy: `now`, `clock`, `allowed`, `denied`, `pending`, the built-in "
        "types, functions and obligations. That `x` stays in its range is proved under the name `range_of_x`.",
        "state now: Int = 0\n",
        "Choose another name.",
    ),
    "E106": Page(
        "something about an action that does not exist",
        "A rule, a property, an event or a test names an action that is not declared. Such a rule would never fire.",
        "action send(text: String)\n\npermit all_mail on sent\n",
        "Correct the spelling, or declare the action.",
    ),
    "E107": Page(
        "a rule that does not exist",
        "An assert or a test speaks of a rule that is not declared, is of another effect, or is not on that action. "
        "What a human answers in a test, `approve r` or `refuse r`, is an answer to an `approve` rule.",
        'action send(text: String) { }\n\nforbid links on send when text contains "http"\n\n'
        "assert no_links: forbid link implies denied\n",
        "Correct the name or the effect of the rule.",
    ),
    "E108": Page(
        "a function that does not exist",
        "What is called is neither a function of the policy, nor a record, nor one of `min`, `max`, `abs`.",
        "state seats: Int = 0\n\naction book() { seats := maximum(seats, 1) }\n",
        "Correct the name, or declare the function: `function f(x: Int): Int = ...`.",
    ),
    "E109": Page(
        "a name that could mean two things",
        "Two enums have a case of this name, or two entities an individual, and nothing here tells which is meant.",
        "enum Stage { Open, Closed }\nenum Door { Open, Shut }\n\naction go() { let x = Open }\n",
        "Write the enum before it: `Stage.Open`.",
    ),
    "E111": Page(
        "something that is not available here",
        "`now` and inputs belong to a request, `old` to a step, rules to an assert; constants and initial values know "
        "no state.",
        "state last: Time = 0\n\ninvariant past: last <= now\n",
        "In a property of states, the time is `clock`: that of the last allowed request. In a constant, use literals "
        "and other constants.",
    ),
    "E112": Page(
        "an obligation that does not exist",
        "An obligation tells the enforcer to do something; one that it does not know would be dropped silently. A test "
        "expects such obligations only as some rule on that action asks for with that answer.",
        'action send(text: String) { }\n\nforbid links on send when text contains "http" then quarantin(text)\n',
        "Correct the name, or declare it: `obligation freeze(who: String)`.",
    ),
    "E601": Page(
        "a module that is not there",
        "`import a.b` looks for `b.policy` beside the importing file, then for `a/b.policy` below the folder that the "
        "name of the importing module starts from.",
        "import mvg.types\n",
        "Correct the name, or create the file.",
    ),
    "E602": Page(
        "imports that go in a circle",
        "A module cannot depend on itself, not even through others.",
        "import example\n",
        "Move what both modules need into a third one.",
    ),
    "E604": Page(
        "a test that is not concrete",
        "A test is one run: its `given` cells come first, and every key and value in it is a constant. After `expect` "
        "stands `allow`, `deny`, `pending` or a condition on the state.",
        "state seats: Int = 0\n\naction book() { seats += 1 }\n\n"
        'test "booking" {\n  book() expect allow\n  given seats = 3\n}\n',
        "Put every `given` before the first request, and write the values themselves.",
    ),
}
