"""From the clauses of a rule, in any order, to the fields of a RuleDecl; what does not fit its effect is reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from policydsl import syntax as s
from policydsl.diagnostics import Label, Report
from policydsl.lexer import Token
from policydsl.source import Span


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause: the terminal it begins with, and an expression, a tuple, or the text of a string or name."""

    word: str
    span: Span
    value: Any


@dataclass(frozen=True, slots=True)
class Target:
    action: s.Name
    field: Token | None


@dataclass(frozen=True, slots=True)
class _Form:
    """The clauses an effect takes beyond `when`, `unless`, `because` and `then`, those it needs, and an example."""

    takes: tuple[str, ...]
    needs: tuple[str, ...]
    example: str


_REPEATED = ("WHEN", "UNLESS", "THEN")
_COMMON = ("WHEN", "UNLESS", "THEN", "BECAUSE")
_SAID = {"REPLACE": "replace with", "FOR": "for each"}
_LIMIT = _Form(("TO", "PER", "FOR"), ("TO",), "limit {name} on {on} to 20 per 1m for each principal")
_FORMS = {
    "permit": _Form((), (), ""),
    "forbid": _Form((), (), ""),
    "approve": _Form(("BY", "WITHIN"), ("BY", "WITHIN"), "approve {name} on {on} by human within 10m"),
    "redact": _Form(("REPLACE",), ("REPLACE",), 'redact {name} on {on} when text contains secret replace with "[...]"'),
    "limit": _LIMIT,
    "budget": _Form(("TO", "PER", "FOR"), ("TO",), "budget {name} on {on}.amount to 100 per 24h for each principal"),
}


def rule_parts(
    effect: Token, name: Token, targets: tuple[Target, ...], clauses: tuple[Clause, ...], report: Report
) -> dict[str, Any]:
    form = _FORMS[effect.text]
    example = form.example.format(name=name.text, on=targets[0].action.name)
    once: dict[str, Clause] = {}
    for clause in clauses:
        said = _SAID.get(clause.word, clause.word.lower())
        if clause.word not in form.takes + _COMMON:
            owners = [e for e, f in _FORMS.items() if clause.word in f.takes]
            hint = f"`{said}` belongs to " + " and ".join(f"`{o}`" for o in owners) + " rules"
            report.error("E014", f"a `{effect.text}` rule has no `{said}`", clause.span, help=hint)
        elif clause.word not in _REPEATED:
            if clause.word in once:
                first = Label(once[clause.word].span, "the first one")
                text = f"`{said}` is written twice in rule `{name.text}`"
                hint = (
                    "who is counted apart stands after `for each`" if clause.word == "PER" else "leave one of them out"
                )
                report.error("E023", text, clause.span, labels=(first,), help=hint)
            once.setdefault(clause.word, clause)
    missing = [f"`{_SAID.get(word, word.lower())}`" for word in form.needs if word not in once]
    # What follows a mistake within the rule was not read as part of it.
    if missing and not any(d.span.start > name.span.end for d in report.found):
        text = f"`{effect.text} {name.text}` says no {' and no '.join(missing)}"
        report.error("E014", text, name.span, help=f"for example `{example}`")
    return {
        "on": tuple(t.action for t in targets),
        "when": tuple(c.value for c in clauses if c.word == "WHEN"),
        "unless": tuple(c.value for c in clauses if c.word == "UNLESS"),
        "then": tuple(call for c in clauses if c.word == "THEN" for call in c.value),
        "because": _of(once, "BECAUSE", ""),
        "by": _of(once, "BY", ""),
        "within": _of(once, "WITHIN", None),
        "replacement": _of(once, "REPLACE", ""),
        "to": _of(once, "TO", None),
        "per": _of(once, "PER", None),
        "keys": _of(once, "FOR", ()),
        "field": _field(effect, name, targets, report),
    }


def _of(clauses: dict[str, Clause], word: str, default: Any) -> Any:
    return clauses[word].value if word in clauses else default


def _field(effect: Token, name: Token, targets: tuple[Target, ...], report: Report) -> str:
    fields = {t.field.text for t in targets if t.field}
    if effect.text != "budget":
        for target in targets:
            if target.field:
                text = f"a `{effect.text}` rule is about a whole request, not about its `{target.field.text}`"
                report.error("E014", text, target.field.span, help=f"write `on {target.action.name}`")
        return ""
    if len(fields) != 1 or not all(t.field for t in targets):
        text = f"budget `{name.text}` does not say one input to add up"
        hint = f"write the input to add up, the same for all actions: `on {targets[0].action.name}.amount`"
        report.error("E014", text, targets[0].action.span, help=hint)
    return min(fields, default="")
