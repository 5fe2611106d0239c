"""People's answers to the questions that pending decisions ask."""

from __future__ import annotations

from runtime import keys, tickets
from runtime.decision import Code, Decision
from runtime.office import Office, refusal
from runtime.store import Transaction
from runtime.tickets import Question, open_questions

__all__ = ["answer", "open_questions"]


def answer(office: Office, tx: Transaction, ticket: str, approved: bool, by: str, asked: list[Question]) -> Decision:
    """Decide again a request about which `by` was asked. The question goes into `asked`, once it is answered."""
    at = office.settings.clock()
    q = tickets.find(tx, ticket)
    if q is None:
        return refusal(Code.REFUSED, "there is no such question, or it was answered already")
    if (why := _may_not(office, q, by)) is not None:
        return why
    asked.append(q)
    tickets.close(tx, ticket)
    office.books.note(tx, "answer", at, {"ticket": ticket, "approved": approved, "by": by})
    if at > q.until:
        decision = refusal(Code.APPROVAL_LATE, "the answer came too late")
    elif not approved:
        decision = refusal(Code.REFUSED, f"`{by}` has refused it")
    else:
        decision = office.decide(tx, q.action, dict(q.inputs), q.key, q.granted())
    if q.key:
        keys.replace(tx, q.key, decision)
    return decision


def _may_not(office: Office, q: Question, by: str) -> Decision | None:
    inputs = dict(q.inputs)
    # SOUND: nobody approves what they ask for themselves.
    if not by or by == inputs.get("principal"):
        return refusal(Code.REFUSED, "who asks cannot answer")
    may = office.settings.may_approve
    if may is not None and not all(may(by, who, inputs) for _, who in q.rules):
        return refusal(Code.REFUSED, f"`{by}` may not answer this")
    return None
