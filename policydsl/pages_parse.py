"""Pages of what the lexer and the parser find."""

from __future__ import annotations

from policydsl.page import Page

PAGES: dict[str, Page] = {
    "E001": Page(
        "something else belongs here",
        "The text up to this place is understood, and this word or mark cannot follow it. Reading goes on at "
        "the next clause, statement or declaration, so one mistake does not hide the others.",
        "const LIMIT = 3 + * 4\n",
        "Write one of the things that are named as expected.",
    ),
    "E002": Page(
        "a character has no meaning here",
        "Outside strings and comments a policy is made of ASCII letters, digits, `_`, and the operators and "
        "brackets of the language. Comments begin with `//`.",
        "const LIMIT = 3 $\n",
        "Leave the character out, or put it into a string.",
    ),
    "E003": Page(
        "a string is not closed, or not in double quotes",
        'A string begins and ends with `"` on one line. A quote inside is written `\\"`.',
        'pattern secret = "sk-[a-z]+\n',
        'End the string with `"`.',
    ),
    "E004": Page(
        "a bracket is not closed",
        "Every `(`, `[` and `{` has a partner. The label shows which one is open, or where the next "
        "declaration begins.",
        "action tick() {\n\nentity Bot\n",
        "Close the bracket.",
    ),
    "E005": Page(
        "an escape that does not exist",
        'In strings there are `\\"`, `\\\\`, `\\n` and `\\t`. A regular expression that needs a backslash '
        "needs two of them.",
        'pattern number = "\\d+"\n',
        "Write `\\\\` for a backslash.",
    ),
    "E006": Page(
        "`=`, `==` or `:=` in the place of another",
        "`=` gives a declared name its value, `==` compares, and `:=` changes the state in an action. They are "
        "three signs because they are three things.",
        "state open : Bool = false\naction shut() { open = false }\n",
        "Use the sign that is named.",
    ),
    "E007": Page(
        "an operator of another language",
        "Conditions are written in words: `and`, `or`, `not`, `implies`. There is one spelling for each operator.",
        "state a, b : Bool = false\naction go() { require a && b }\n",
        "Use the word that is named.",
    ),
    "E008": Page(
        "a semicolon",
        "Statements and declarations are not separated by anything; each begins with a word or a target of its own.",
        "const LIMIT = 3;\n",
        "Leave the `;` out.",
    ),
    "E009": Page(
        "a word of the language is misspelled",
        "A name cannot stand here, and a word of the language that looks like it can. The rest is read as if "
        "it were spelled correctly.",
        "enum Stage { Open, Shut }\nstat stage : Stage = Open\n",
        "Write the word that is proposed.",
    ),
    "E010": Page(
        "a word of the language as a name",
        "The words that begin or join expressions are never names; most others can be (`limit`, `text`, "
        "`count`, `to`).",
        "state when : Int = 0\n",
        "Choose another name.",
    ),
    "E011": Page(
        "a mark or a word is missing",
        "With the one that is named, everything after it fits; the rest is read as if it were there.",
        "action pay(principal Bot)\nentity Bot\n",
        "Add it.",
    ),
    "E012": Page(
        "a string is missing",
        "Reasons are sentences for the person who is refused, so they are strings.",
        "action pay(amount: Int) {\n  require amount > 0 else nothing to pay\n}\n",
        "Put the text between double quotes.",
    ),
    "E013": Page(
        "a comparison of a comparison",
        "`a < b < c` is no shorthand: comparisons give true or false, and those have no order.",
        "const LIMIT = 3\nstate n : Int = 0\ninvariant bounded: 0 <= n <= LIMIT\n",
        "Join two comparisons with `and`.",
    ),
    "E014": Page(
        "a rule with a clause it cannot have, or without one it needs",
        "`when`, `unless`, `because` and `then` belong to all rules. `approve` needs `by` and `within`, "
        "`redact` needs `replace with`, `limit` and `budget` need `to` (with `per` and, if wanted, `for "
        "each`), and `budget` names the input to add up.",
        "action pay(amount: Int)\npermit small on pay to 20\n",
        "Remove the clause, add the missing one, or use the kind of rule it belongs to.",
    ),
    "E015": Page(
        "a closing bracket without an opening one",
        "It closes nothing, or something of another shape.",
        "const LIMIT = 3 + 4)\n",
        "Remove it, open what it closes, or close with the right shape.",
    ),
    "E016": Page(
        "a word or a mark is written twice",
        "Without the second one, what follows fits.",
        "const LIMIT = = 3\n",
        "Leave one of the two out.",
    ),
    "E018": Page(
        "not a number",
        "Numbers are whole, of any size up to 60 digits, and may be grouped with `_`. Durations end in `ms`, "
        "`s`, `m`, `h`, `d` or `w`, or have several such parts, the larger ones first: `1h30m`. There are no "
        "fractions: they make comparisons depend on rounding.",
        "const SHARE = 0.5\n",
        "Count in a smaller unit.",
    ),
    "E020": Page(
        "there is no such form of type",
        "Ranges are written `Int[1..10]` and `Duration[1h..48h]`, sets `Set<T>`, options `T?` and maps `K -> V`.",
        "entity Bot\nstate friends : Bot -> List<Bot> = {}\n",
        "Use one of these forms.",
    ),
    "E021": Page(
        "`sum` or `count` in the wrong form",
        "`sum` needs something to add up, `count` does not: `sum(b: Bot where c . amount[b])`, `count(b: Bot "
        "where c)`, `sum(spend.amount within 24h)`, `count(spend within 24h)`.",
        "entity Bot\nstate paid : Bot -> Int = 0\ninvariant none_paid: sum(b: Bot) == 0\n",
        "Use the form that is shown.",
    ),
    "E022": Page(
        "an expected decision without a request",
        "In a test, `expect allow`, `expect deny` and `expect pending` are about the request just before them, or the "
        "answer of a human, and each has at most one.",
        'action tick() {}\ntest "ticks" { expect allow }\n',
        "Write the request first.",
    ),
    "E023": Page(
        "a clause is written twice",
        "`when`, `unless` and `then` may be repeated; the other clauses of a rule say one thing once.",
        'action pay(amount: Int)\nforbid all on pay because "no" because "never"\n',
        "Keep one of the two.",
    ),
    "E024": Page(
        "not a verdict",
        "A property is expected to be proved, unless `expect refuted` or `expect unknown` stands before it.",
        "state n : Int = 0\nexpect failed invariant small: n < 3\n",
        "Write `refuted`, `unknown` or `proved`.",
    ),
    "E025": Page(
        "`module` is not at the top",
        "A file has one `module` line at most, before all declarations.",
        "entity Bot\nmodule late\n",
        "Move it to the top.",
    ),
    "E026": Page(
        "a two-phase declaration without its parts",
        "An effect in two phases is reserved by one action, and then ended by exactly one of the others: committed, "
        "aborted, or, if the declaration says so, expired. Each part names one action.",
        "two phase call: reserve by hold, commit by settle\n",
        "Name the action of each part: `two phase call: reserve by hold, commit by settle, abort by give_up`.",
    ),
    "E091": Page(
        "nested too deeply",
        "Brackets nest at most 100 deep and expressions at most 200. A long chain of one operator counts, too: "
        "`a or b or c` is two deep.",
        "const N = " + "(" * 101 + "1" + ")" * 101 + "\n",
        "Give parts a name with `function` or `let`, or ask `x in {a, b, c}`.",
    ),
    "I901": Page(
        "a policy is too long",
        "The parser reads at most a million characters.",
        "",
        "Split the policy into modules and `import` them.",
    ),
}
