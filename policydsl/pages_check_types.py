"""Pages of what the checker finds about types and about the fragment in which everything can be decided."""

from __future__ import annotations

from policydsl.page import Page

PAGES: dict[str, Page] = {
    "E201": Page(
        "a value of another type",
        "What stands here has a type that does not fit. Times, durations and numbers are different types.",
        'state last: Time = 0\n\naction go() { require last == "never" }\n',
        "Use a value of the type that is asked for. Durations carry their unit, like `24h`.",
    ),
    "E202": Page(
        "too many or too few values",
        "A call, an event or a request gives another number of values than was declared.",
        "state seats: Int = 0\n\naction book(count: Int[1..4]) { seats += count }\n\n"
        'test "booking" { book() expect allow }\n',
        "Give one value for each that is declared. In an event, `_` stands for what does not matter.",
    ),
    "E203": Page(
        "a map used as a value, or a value as a map",
        "A state variable declared as a map has one value for each tuple of keys, and only its cells are values.",
        "entity Bot\n\nstate trust: Bot -> Int = 0\n\naction reset(bot: Bot) { require trust > 0 }\n",
        "Name the cell: `trust[bot]`. To speak of all cells, write `forall b: Bot . trust[b] > 0`.",
    ),
    "E204": Page(
        "an operator on what it does not apply to",
        "Each operator takes values of certain types: arithmetic takes numbers, `<` what is ordered, `has` options, "
        "`in` a set or a group on its right.",
        "enum Stage { Open, Closed }\n\nstate stage: Stage = Open\n\naction go() { require stage < Closed }\n",
        "Compare or combine values that have such an operation.",
    ),
    "E205": Page(
        "a value whose type cannot be told",
        "`none` and `{}` are values of many types, and nothing here says which is meant.",
        "action go() { let nobody = none }\n",
        "Use it where a type is expected: in an assignment or a comparison.",
    ),
    "E206": Page(
        "a type that is not possible here",
        "Keys of maps are entities or enums; sets hold individuals or enum cases; an input holds plain values; a map "
        "is the type of a state variable only.",
        "state votes: Int -> Bool = false\n",
        "Introduce an entity or an enum for what is counted.",
    ),
    "E207": Page(
        "a range without numbers",
        "The bounds of a range are constants, numbers for `Int` and durations for `Duration`, and the lower one is not "
        "above the upper one.",
        "action spend(amount: Int[100..1]) { }\n",
        "Write the smaller bound first.",
    ),
    "E208": Page(
        "a value that is not constant",
        "Constants, defaults and initial values are made of literals and of other constants. A constant that is "
        "defined by itself has no value.",
        "const LOW = HIGH\nconst HIGH = LOW\n",
        "Write a literal. What each deployment may choose is a `param`.",
    ),
    "E209": Page(
        "an argument that may be outside its range",
        "A function that asks for a range may divide by its parameter, so the range must be certain at the call.",
        "state total: Int = 0\n\nfunction share(of: Int, n: Int[1..10]): Int = of / n\n\n"
        "action split(n: Int) { total := share(total, n) }\n",
        "Declare the range of the input, or force it: `min(10, max(1, n))`.",
    ),
    "E210": Page(
        "a constant outside the range of its type",
        "The value is written here and the range was declared, and the one is not within the other.",
        "param QUORUM: Int[100..1000] = 10\n",
        "Change the value or widen the range.",
    ),
    "E301": Page(
        "an option that may be none",
        "The value of an option can be read only where it is known to be there, so that nothing is ever missing at run "
        "time.",
        "entity Bot\n\nstate owner: Bot -> Bot? = none\nstate trust: Bot -> Int = 0\n\n"
        "action praise(bot: Bot) { trust[owner[bot]] += 1 }\n",
        "Guard it: `if owner[bot] has o { trust[o] += 1 }`, or `require owner[bot] has o` before it.",
    ),
    "E302": Page(
        "a division by what may be zero",
        "Policies are total: nothing can fail at run time. Division is floor division by a divisor that is certainly "
        "positive. State is not certain: its range is a theorem, not an assumption.",
        "state total: Int = 0\n\naction split(n: Int) { total := total / n }\n",
        "Divide by a positive constant, or by a parameter or input with a range from 1 up, or by `max(1, n)`.",
    ),
    "E303": Page(
        "a product of two variables",
        "Proofs are about sums and multiples by constants; products of variables are undecidable. Parameters count as "
        "variables, because proofs hold for all choices.",
        "state total: Int = 0\n\naction buy(price: Int, count: Int) { total := total + price * count }\n",
        "Multiply by a constant. A percentage becomes `100 * yes >= 60 * total`; a product can come in as an input.",
    ),
    "E304": Page(
        "a function that calls itself",
        "Functions are inlined, so that every policy terminates.",
        "state total: Int = 0\n\nfunction f(x: Int): Int = if x > 0 then f(x - 1) else 0\n\n"
        "action go() { total := f(total) }\n",
        "Keep the result in the state, and let requests compute it step by step.",
    ),
    "E305": Page(
        "a quantifier over infinitely many numbers",
        "Quantifiers range over the individuals of an entity, over the cases of an enum, or over a short range.",
        "state total: Int = 0\n\ninvariant none_is_total: forall n: Int . n != total\n",
        "Quantify over an entity, an enum or a range like `Int[0..9]`.",
    ),
    "E306": Page(
        "a text that is looked for and not constant",
        "Predicates on strings are decided by their patterns, which must be known when the policy is checked.",
        "action send(text: String, word: String) {\n  require not (text contains word)\n}\n",
        "Look for a literal, a constant or a `pattern`.",
    ),
    "E307": Page(
        "a regular expression that cannot be decided",
        "Patterns are regular: no back references, no look-around. Only then can the prover say whether two of them "
        "can match one text.",
        'pattern twice = "(a)\\\\1"\n',
        "Use literals, `.`, classes like `[a-z]`, groups, `|`, `*`, `+`, `?` and `{m,n}`.",
    ),
}
