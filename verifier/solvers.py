"""Both solvers behind one door, which remembers what they have answered, in this run and in earlier ones."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Protocol

import z3

from policydsl.core.expr import Expr
from verifier import spacer
from verifier.horn import Problem
from verifier.solve import RLIMIT, Answer, versions, with_both


class Answers(Protocol):
    """What was answered before, by key. Keys are digests of everything that an answer depends on."""

    def get(self, key: str) -> str | None: ...

    def put(self, key: str, answer: str) -> None: ...


class NoAnswers:
    """Remembers nothing beyond the run."""

    def get(self, key: str) -> str | None:
        return None

    def put(self, key: str, answer: str) -> None:
        return None


class Solvers:
    """One for each system that is verified."""

    def __init__(self, rlimit: int = RLIMIT, answers: Answers | None = None) -> None:
        self._rlimit = rlimit
        self._answers: Answers = NoAnswers() if answers is None else answers
        # Making a context takes longer than most answers, so scripts share one; each has a solver of its own.
        self._context = z3.Context()
        self._now: dict[str, str] = {}
        self._versions = versions()

    def ask(self, script: str) -> Answer:
        """As `solve.with_both`."""
        # SOUND: whether a text can be satisfied does not depend on what its symbols are called, as long as different
        # ones stay different. Where a solver gives up may depend on it, so only definite answers are shared.
        shape = self._key("shape", _numbered(script), self._rlimit)
        exact = self._key("ask", script, self._rlimit)
        for key in (shape, exact):
            found = self._known(key)
            if found is not None and found in Answer.__members__:
                return Answer[found]
        answer = with_both(script, self._rlimit, self._context)
        self._learn(exact if answer is Answer.UNKNOWN else shape, answer.name)
        return answer

    def propose(self, problem: Problem, rlimit: int, options: int) -> Expr | spacer.Failure:
        """As `spacer.solve`."""
        key = self._key("propose", problem.text, rlimit, options)
        found = self._known(key)
        if found is None:
            found = self._learn(key, spacer.propose(problem.text, rlimit, options))
        return spacer.read(found, problem, self._context)

    def _key(self, *parts: object) -> str:
        return hashlib.sha256(json.dumps([*parts, self._versions], sort_keys=True).encode()).hexdigest()

    def _known(self, key: str) -> str | None:
        return self._now.get(key) or self._answers.get(key)

    def _learn(self, key: str, answer: str) -> str:
        self._now[key] = answer
        self._answers.put(key, answer)
        return answer


_SYMBOL = re.compile(r"\|[^|]*\|")


def _numbered(script: str) -> str:
    """`script` with its quoted symbols, which hold all that a policy names, numbered in the order of first use."""
    numbers: dict[str, str] = {}
    return _SYMBOL.sub(lambda found: numbers.setdefault(found.group(), f"|{len(numbers)}|"), script)
