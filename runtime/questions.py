"""People's answers to the questions that pending decisions ask."""

from __future__ import annotations

from runtime import keys, tickets
from runtime.decision import Code, Decision
from runtime.office import Office
from runtime.store import Transaction
from runtime.tickets import Question

__all__ = ["answer", "close_late", "late", "open_questions"]


def answer(office: Office, tx: Transaction, ticket: str, approved: bool, by: str, asked: list[Question]) -> Decision:
    """Decide again a request about which `by` was asked. The question goes into `asked`, once it is answered."""
    at = office.time()
    asked.clear()
    q = tickets.find(tx, ticket)
    if q is None:
        return office.refusal(Code.REFUSED, "there is no such question, or it was answered already")
    if (why := _may_not(office, q, by)) is not None:
        return why
    request = office.read(q.action, dict(q.inputs))
    if request.way is not None and (barred := office.barred(request.way, at)) is not None:
        return barred  # the question stays, for when the lockdown is over
    asked.append(q)
    tickets.close(tx, ticket)
    office.books.note(tx, "answer", at, {"ticket": ticket, "approved": approved, "by": by})
    if at > q.until:
        decision = office.refusal(Code.APPROVAL_LATE, "the answer came too late", request.way)
    elif not approved:
        decision = office.refusal(Code.REFUSED, f"`{by}` has refused it", request.way)
    else:
        decision = office.decide(tx, request, q.key, q.granted(), q.phase)
    keys.replace(tx, q.key, decision, open_=office.handled(decision))
    return decision


def _may_not(office: Office, q: Question, by: str) -> Decision | None:
    inputs = dict(q.inputs)
    # SOUND: nobody approves what they ask for themselves.
    if not by or by == inputs.get("principal"):
        return office.refusal(Code.REFUSED, "who asks cannot answer")
    may = office.settings.may_approve
    if may is not None and not all(may(by, who, inputs) is True for _, who in q.rules):
        return office.refusal(Code.REFUSED, f"`{by}` may not answer this")
    return None


def open_questions(office: Office, tx: Transaction) -> list[Question]:
    """The questions that can still be answered, the oldest first."""
    at = office.time()
    return [q for q in tickets.open_questions(tx) if at <= q.until]


def late(office: Office, tx: Transaction, ticket: str) -> Decision | None:
    """The denial of a request whose question nobody has answered in time; None while there is time."""
    q = tickets.find(tx, ticket)
    if q is None or office.time() <= q.until:
        return None
    way = office.books.policies.way(q.action)
    decision = office.refusal(Code.APPROVAL_LATE, "nobody has answered in time", way)
    tickets.close(tx, ticket)
    office.books.note(tx, "unanswered", office.time(), {"ticket": ticket})
    keys.replace(tx, q.key, decision)
    return decision


def close_late(office: Office, tx: Transaction) -> None:
    """Close all questions that nobody has answered in time."""
    for q in tickets.open_questions(tx):
        late(office, tx, q.ticket)
