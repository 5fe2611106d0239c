"""Elections for the tests: people whose keys follow from their names, chance that repeats, and forged boards."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from voting import acts
from voting.ballots import Choice
from voting.board import write_board
from voting.election import Election, accept
from voting.group import ORDER, Chance, base_times, scalar_to_bytes
from voting.keys import Secret
from voting.posts import Body, Deal, Envelope, Person, Sealed, Trustee, Voter, signed_text
from voting.trustees import make_deal

TRUSTEES = ("rita", "sam", "tess")
WEIGHTS = {"alice": 120, "bob": 100, "carol": 100, "dave": 70}
CHOICES = {"alice": Choice.YES, "bob": Choice.NO, "carol": Choice.ABSTAIN}


def chance_from(seed: str) -> Chance:
    numbers = itertools.count()
    return lambda size: hashlib.shake_256(f"{seed} {next(numbers)}".encode()).digest(size)


def secret_of(name: str) -> Secret:
    return Secret(hashlib.sha256(name.encode()).digest())


def trustee(name: str) -> Trustee:
    secret = secret_of(name)
    return Trustee.model_construct(name=name, sign=secret.sign_key, box=secret.box_key)


def voter(name: str, weight: int) -> Voter:
    return Voter.model_construct(name=name, weight=weight, sign=secret_of(name).sign_key)


@dataclass
class Held:
    """An election step by step: `put` accepts posts as a keeper of the board would."""

    chance: Chance = field(default_factory=lambda: chance_from("held"))
    trustees: tuple[str, ...] = TRUSTEES
    threshold: int = 2
    weights: dict[str, int] = field(default_factory=lambda: dict(WEIGHTS))
    question: str = "Shall we?"
    election: Election = field(default_factory=Election)
    posts: list[Envelope] = field(default_factory=list)

    def put(self, *posts: Envelope) -> None:
        for post in posts:
            accept(self.election, acts.entry_after(self.election, post))
            self.posts.append(post)

    def say(self, author: str, body: Body) -> None:
        """`body`, whatever it is, signed by `author`."""
        self.put(acts.signed(self.election.id, author, secret_of(author), body))

    def announce(self) -> Held:
        clerk = secret_of("clerk")
        self.put(
            *acts.announce(
                self.chance,
                self.question,
                Person.model_construct(name="clerk", sign=clerk.sign_key),
                clerk,
                [trustee(t) for t in self.trustees],
                self.threshold,
                [voter(*v) for v in self.weights.items()],
            )
        )
        return self

    def round(self, trustees: Iterable[str] | None = None) -> Held:
        for name in self.trustees if trustees is None else trustees:
            self.put(*acts.next_of_trustee(self.chance, self.election, name, secret_of(name)))
        return self

    def open(self) -> Held:
        self.announce().round().round()
        self.put(acts.open_voting(self.election, secret_of("clerk")))
        return self

    def cast(self, choices: dict[str, Choice]) -> Held:
        for name, choice in choices.items():
            self.put(acts.cast(self.chance, self.election, name, secret_of(name), choice))
        return self

    def close(self) -> Held:
        self.put(acts.close_voting(self.election, secret_of("clerk")))
        return self

    def contribute(self, *trustees: str) -> Held:
        for name in trustees:
            self.put(acts.contribute(self.chance, self.election, name, secret_of(name)))
        return self

    def decide(self, by: str = "sam") -> Held:
        self.put(acts.decide(self.election, by, secret_of(by)))
        return self

    @property
    def result(self) -> tuple[int, int, int]:
        result = self.election.result
        assert result is not None
        return result.yes, result.no, result.abstain

    @property
    def board(self) -> bytes:
        return write_board(self.posts)


def whole(choices: dict[str, Choice] | None = None) -> Held:
    """An election from its announcement to its result."""
    return Held().open().cast(CHOICES if choices is None else choices).close().contribute("sam", "tess").decide()


def resigned(post: Envelope, body: dict[str, Any]) -> Envelope:
    """What the author of `post` could have said instead."""
    text = signed_text(post.kind, post.author, post.election, body)
    return post.model_copy(update={"body": body, "signature": secret_of(post.author).sign(text)})


def instead(posts: list[Envelope], number: int, post: Envelope) -> bytes:
    """The board with another post in the place of this one, and all hashes made anew."""
    return write_board([*posts[:number], post, *posts[number + 1 :]])


def cheated(held: Held, dealer: str, victim: str) -> Deal:
    """A deal that is right for everybody but the victim."""
    deal = make_deal(held.chance, held.election.ceremony, dealer, secret_of(dealer))
    number = held.election.ceremony.index(victim) - 1
    sealed = deal.shares[number]
    wrong = Sealed.model_construct(nonce=sealed.nonce, proof=sealed.proof, masked=(sealed.masked + 1) % ORDER)
    return deal.model_copy(update={"shares": [wrong if i == number else s for i, s in enumerate(deal.shares)]})


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path


def other(value: Any) -> Any:
    """Something else of the same form: another name, number, element or multiple."""
    if isinstance(value, int):
        return value + 1
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    if len(value) != 64:
        return value[:-1] + ("x" if value[-1] != "x" else "y")
    number = int.from_bytes(bytes.fromhex(value), "little")
    return scalar_to_bytes(number + 1).hex() if number < ORDER else base_times(number).hex()


def changed(post: Envelope, path: tuple[Any, ...]) -> dict[str, Any]:
    """The body of `post` with something else there."""
    said = json.loads(json.dumps(post.body))
    inner = functools.reduce(lambda found, key: found[key], path[:-1], said)
    inner[path[-1]] = other(inner[path[-1]])
    assert said != post.body
    return said


@functools.cache
def fields() -> list[tuple[int, tuple[Any, ...]]]:
    """Every field of a whole election: the number of the post, and the way to it."""
    return [(number, path) for number, post in enumerate(whole().posts) for path in leaves(post.body)]
