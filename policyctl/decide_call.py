"""One call of a host, decided and explained: what becomes of it by its mapping, and what the policy says to that."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import click

from policyctl.call_words import call_words
from policyctl.exit_codes import OK, REFUTED
from policyctl.output import write_out
from policyctl.serving import ServeError, prepare

if TYPE_CHECKING:
    from policyctl.paint import Paint
    from policyctl.serving import Plan


def decide_call(plan: Plan, wanted: Any, format_: str, paint: Paint) -> int:
    """Print the answer to a call. The exit code is that of `policyctl decide`."""
    from hosts import neutral, requests
    from hosts.read_json import BadRequestError
    from hosts.requests import UnmappedError

    before = logging.root.manager.disable
    logging.disable(logging.ERROR)  # what it would say is part of the answer
    try:
        service = prepare(plan, "", watched=False)
        call, guard = neutral.call_of(wanted), service.guard(neutral.host_of(wanted))
    except (ServeError, BadRequestError) as error:
        raise click.ClickException(str(error)) from error
    finally:
        logging.disable(before)
    answer = guard.before(call)
    if format_ == "json":
        write_out(json.dumps(neutral.to_json(answer), indent=2, ensure_ascii=False) + "\n")
        return OK if answer.allowed else REFUTED
    style = {"allow": "green", "deny": "bold red", "ask": "yellow"}[answer.effect]
    lines = [f"{paint(style, answer.effect)}  {answer.code}{f': {answer.reason}' if answer.reason else ''}"]
    try:
        asked = requests.before(guard.mapping, call)
    except UnmappedError:
        asked = []
    policies = service.enforcer.policies
    systems = [p.policy.system for p in policies.running] if policies else []
    for request, decision in zip(asked, answer.decisions, strict=False):
        words = call_words(request.action, request.inputs, systems)
        lines.append(f"  asked       {words}  {paint('dim', decision.effect)}")
        lines += [f"  rule        {r.name}  {paint('dim', r.place)}" for r in decision.rules]
    lines += [f"  obligation  {duty.name}({', '.join(map(str, duty.args))})" for duty in answer.duties]
    if answer.arguments is not None:
        lines.append(f"  rewritten   {json.dumps(answer.arguments, ensure_ascii=False)}")
    if answer.ticket:
        lines.append(f"  ticket      {answer.ticket}")
    write_out("\n".join(lines) + "\n")
    return OK if answer.allowed else REFUTED
