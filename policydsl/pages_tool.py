"""Pages of what the command line finds: files it cannot read, and verdicts as diagnostics."""

from __future__ import annotations

from policydsl.page import Page

PAGES: dict[str, Page] = {
    "I950": Page(
        "a file cannot be read",
        "The path was named on the command line, or a module that a policy imports should be there, and the operating "
        "system refuses to read it.",
        "",
        "Check the path and its permissions.",
    ),
    "I951": Page(
        "a file is not UTF-8",
        "Policies are UTF-8 text. The place says at which byte the first offence stands.",
        "",
        "Save the file as UTF-8.",
    ),
    "I952": Page(
        "a file is too large",
        "Policies are read by people. A file beyond four million characters is generated or an accident, and checking "
        "it could take longer than anybody waits.",
        "",
        "Split the policy into modules and `import` them.",
    ),
    "I953": Page(
        "there is no policy where one was looked for",
        "A directory on the command line holds no file that ends in `.policy`. Verifying nothing is never a success.",
        "",
        "Check the path. Policies are found in all directories below the one named.",
    ),
    "I999": Page(
        "the tool itself failed",
        "An error inside policyctl: not a statement about your policy. Nothing is reported as proved.",
        "",
        "Run again with `--debug` and report what it prints, with the policy if you can share it.",
    ),
    "R801": Page(
        "a property is refuted",
        "A run of the policy breaks the property. The run is as short as any and was replayed in the reference "
        "interpreter before it was shown.",
        "",
        "Read the trace from the first request to the last, and decide which request should have been denied, or "
        "whether the property says too much. When the policy is flawed on purpose, write `expect refuted` before it.",
    ),
    "R802": Page(
        "a property is neither proved nor refuted",
        "The prover found no inductive argument and the search no run that breaks the property, within their limits. "
        "Unknown is never a success.",
        "",
        "The report shows a step from which induction fails. If its first state can never be reached, state why as a "
        "`lemma`; if it can, it leads to a counterexample. A higher `--rlimit` searches longer.",
    ),
    "R803": Page(
        "a verdict is not the one that the policy expects",
        "The policy declares `expect refuted` or `expect unknown`, and the property came out otherwise: either the "
        "flaw is mended, or the example no longer shows it.",
        "",
        "Change or remove the `expect`, or restore the flaw.",
    ),
    "R804": Page(
        "something that should be reachable is not",
        "No run gets where `reachable` says that one should. This is proved for any number of individuals and steps.",
        "",
        "Look for a guard that is never true, or a state that no action leads to.",
    ),
    "R805": Page(
        "a test does not get what it expects",
        "A `test` of the policy was run in the reference interpreter and came out otherwise than it says.",
        "",
        "Either the test or the policy is wrong; `policyctl test` shows the step and what was decided.",
    ),
    "R811": Page(
        "something in the policy never matters",
        "A rule that decides nothing, an action that can never happen, or a property whose condition never holds: "
        "true, but not for the reason that its author had in mind.",
        "",
        "Remove it, or mend the condition that keeps it from mattering.",
    ),
    "R812": Page(
        "a rule stands in the shadow of others",
        "Wherever the rule matches, another one decides already: it says what another rule says, or is contained in "
        "others of its effect, or whatever it permits is forbidden. So changing it changes nothing, which is not what "
        "a reader of the policy will think.",
        "",
        "Remove the rule, or mend the condition of the one that covers it.",
    ),
    "R813": Page(
        "a permit and a forbid meet",
        "Some request matches both. That is no fault: forbid wins. It is said, with such a request, because the places "
        "where rules meet are those where policies are misread.",
        "",
        "Nothing, if forbid should win there. `assert name: forbid a overrides permit b` writes down that it is meant.",
    ),
    "R814": Page(
        "a question about the rules stays open",
        "The solver gave up on whether a rule ever matters. Verdicts on properties do not depend on it.",
        "",
        "Simplify the conditions of the rule.",
    ),
}
