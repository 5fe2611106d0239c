"""Both solvers behind one door, which remembers what they have answered, in this run and in earlier ones."""

from __future__ import annotations

import hashlib
import json
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
        self._answers: Answers = answers or NoAnswers()
        # Making a context takes longer than most answers, so scripts share one; each has a solver of its own.
        self._context = z3.Context()
        self._now: dict[str, str] = {}
        self._versions = versions()

    def ask(self, script: str) -> Answer:
        """As `solve.with_both`."""
        key = self._key("ask", script, self._rlimit)
        found = self._known(key)
        if found is None or found not in Answer.__members__:
            found = self._learn(key, with_both(script, self._rlimit, self._context).name)
        return Answer[found]

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
