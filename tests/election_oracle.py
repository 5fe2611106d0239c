"""A second verifier of elections, after docs/election.md and in plain Python: no line of it is that of the first.

It shares neither the arithmetic nor the reading of JSON with `voting/`. It raises `AssertionError` at what is wrong and
`ValueError`, `KeyError` or `TypeError` at what it cannot read. It is slow, and checks no more than the page says.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Pair = tuple[int, int]
ZERO: Pair = (0, 1)


def _add(p: tuple[int, ...], q: tuple[int, ...]) -> tuple[int, ...]:
    """RFC 8032, 5.1.4: x = X/Z, y = Y/Z, xy = T/Z."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _pair(p: tuple[int, ...]) -> Pair:
    inverse = pow(p[2], -1, P)
    return p[0] * inverse % P, p[1] * inverse % P


def add(p: Pair, q: Pair) -> Pair:
    return _pair(_add((*p, 1, p[0] * p[1]), (*q, 1, q[0] * q[1])))


def mul(n: int, p: Pair) -> Pair:
    found: tuple[int, ...] = (0, 1, 1, 0)
    base: tuple[int, ...] = (*p, 1, p[0] * p[1])
    while n:
        if n & 1:
            found = _add(found, base)
        base, n = _add(base, base), n >> 1
    return _pair(found)


def sub(p: Pair, q: Pair) -> Pair:
    return add(p, (-q[0] % P, q[1]))


def pack(p: Pair) -> bytes:
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


@lru_cache(maxsize=1000)
def point(text: str) -> Pair:
    value = int.from_bytes(bytes.fromhex(text), "little")
    y, sign = value & (1 << 255) - 1, value >> 255
    assert len(text) == 64
    assert y < P
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert x * x % P == square
    assert x or not sign
    found = (x if x & 1 == sign else P - x, y)
    assert found != ZERO
    assert mul(L, found) == ZERO
    return found


def number(text: str) -> int:
    value = int.from_bytes(bytes.fromhex(text), "little")
    assert len(text) == 64
    assert value < L
    return value


G = point("58" + 31 * "66")


def listed(label: str, parts: tuple[Any, ...]) -> bytes:
    found = b""
    for part in ("policyctl-election/1", label, *parts):
        kind = {str: b"s", bytes: b"b", int: b"i", tuple: b"b"}[type(part)]
        data = {str: str.encode, bytes: bytes, int: lambda n: str(n).encode(), tuple: pack}[type(part)](part)
        found += kind + len(data).to_bytes(8, "big") + data
    return found


def h(label: str, *parts: Any) -> bytes:
    return hashlib.sha256(listed(label, parts)).digest()


def c_of(label: str, *parts: Any) -> int:
    return int.from_bytes(hashlib.sha512(listed(label, parts)).digest(), "little") % L


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def signed(key: Pair, message: bytes, signature: bytes) -> bool:
    """Ed25519 of RFC 8032, 5.1.7, without the cofactor."""
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(r + pack(key) + message).digest(), "little") % L
    return len(signature) == 64 and s < L and pack(sub(mul(s, G), mul(k, key))) == r


def two(proof: dict[str, str]) -> tuple[int, int]:
    return number(proof["challenge"]), number(proof["response"])


@dataclass
class Oracle:
    head: bytes = field(default_factory=lambda: h("board"))
    id: bytes = b""
    manifest: Any = None
    voters: Any = None
    deals: dict[str, Any] = field(default_factory=dict)
    out: set[str] = field(default_factory=set)
    dealt: bytes = b""
    confirmed: set[str] = field(default_factory=set)
    key: Pair = ZERO
    ballots: dict[str, Any] = field(default_factory=dict)
    closing: bytes = b""
    totals: dict[str, tuple[Pair, Pair]] = field(default_factory=dict)
    shares: dict[str, Any] = field(default_factory=dict)
    result: tuple[int, int, int] | None = None

    def read(self, data: bytes) -> Oracle:
        entries = json.loads(data)
        assert data.decode() == "[\n" + ",\n".join(text(e) for e in entries) + "\n]\n"
        for entry in entries:
            post = entry["post"]
            assert post.keys() == {"author", "body", "election", "kind", "signature"}
            if post["kind"] == "manifest":
                assert self.manifest is None
                self.id = h("manifest", text(post["body"]))
            assert bytes.fromhex(post["election"]) == self.id
            after = h("entry", self.head, text(post))
            assert entry["hash"] == after.hex()
            getattr(self, "take_" + post["kind"])(post["author"], post["body"], after)
            message = h("post", post["kind"], post["author"], self.id, text(post["body"]))
            assert signed(self.signer(post["kind"], post["author"]), message, bytes.fromhex(post["signature"]))
            self.head = after
        return self

    def signer(self, kind: str, author: str) -> Pair:
        manifest = self.manifest
        if kind == "ballot":
            people = self.voters
        else:
            people = [manifest["authority"]] if kind in {"manifest", "roll", "open", "close"} else manifest["trustees"]
        [person] = [p for p in people if p["name"] == author]
        return point(person["sign"])

    def index(self, trustee: str) -> int:
        return [t["name"] for t in self.manifest["trustees"]].index(trustee) + 1

    def box(self, trustee: str) -> Pair:
        return point(self.manifest["trustees"][self.index(trustee) - 1]["box"])

    def at(self, dealer: str, place: int) -> Pair:
        found = ZERO
        for k, commitment in enumerate(self.deals[dealer]["commitments"]):
            found = add(found, mul(place**k, point(commitment)))
        return found

    def take_manifest(self, author: str, body: Any, after: bytes) -> None:
        for what in ("name", "sign", "box"):
            values = [t[what] for t in body["trustees"]]
            assert len(set(values)) == len(values)
        assert 1 <= body["threshold"] <= len(body["trustees"])
        assert len(bytes.fromhex(body["nonce"])) == 32
        self.manifest = body

    def take_roll(self, author: str, body: Any, after: bytes) -> None:
        self.voters = body["voters"]
        level = [hashlib.sha256(b"\0" + text(v).encode()).digest() for v in self.voters]
        while len(level) > 1:
            nodes = [hashlib.sha256(b"\1" + a + b).digest() for a, b in zip(level[::2], level[1::2])]
            level = [*nodes, *level[len(level) // 2 * 2 :]]
        weights = [v["weight"] for v in self.voters]
        assert self.manifest["roll"] == {"root": level[0].hex(), "voters": len(weights), "weight": sum(weights)}
        assert all(type(w) is int and w >= 1 for w in weights)
        assert [v["name"] for v in self.voters] == sorted({v["name"] for v in self.voters})
        assert len({v["sign"] for v in self.voters}) == len(weights)

    def take_deal(self, author: str, body: Any, after: bytes) -> None:
        assert self.voters is not None
        assert author not in self.deals
        assert not self.confirmed | self.out
        assert len(body["commitments"]) == self.manifest["threshold"]
        commitments = [point(a) for a in body["commitments"]]
        c, z = two(body["proof"])
        context = h("dealing", self.id, self.index(author), author, *commitments)
        assert c == c_of("deal", context, commitments[0], sub(mul(z, G), mul(c, commitments[0])))
        for trustee, share in zip(self.manifest["trustees"], body["shares"], strict=True):
            r, (c, z) = point(share["nonce"]), two(share["proof"])
            context = h("sealing", self.id, author, trustee["name"], point(trustee["box"]))
            assert c == c_of("sealed", context, r, sub(mul(z, G), mul(c, r)))
            number(share["masked"])
        self.deals[author], self.dealt = body, after

    def take_complaint(self, author: str, body: Any, after: bytes) -> None:
        dealer, q, (c, z) = body["against"], point(body["shared"]), two(body["proof"])
        share, b = self.deals[dealer]["shares"][self.index(author) - 1], self.box(author)
        r = point(share["nonce"])
        context = h("complaining", self.id, dealer, author)
        first, second = sub(mul(z, G), mul(c, b)), sub(mul(z, r), mul(c, q))
        assert c == c_of("complaint", context, b, r, q, first, second)
        value = (number(share["masked"]) - c_of("mask", self.id, dealer, author, r, q)) % L
        assert mul(value, G) != self.at(dealer, self.index(author))
        assert dealer not in self.out
        assert self.key == ZERO
        self.out.add(dealer)
        self.confirmed, self.dealt = set(), after

    def take_confirm(self, author: str, body: Any, after: bytes) -> None:
        assert body == {"head": self.dealt.hex()}
        assert author not in self.confirmed
        assert len(self.deals.keys() - self.out) >= self.manifest["threshold"]
        assert self.key == ZERO
        self.confirmed.add(author)

    def take_open(self, author: str, body: Any, after: bytes) -> None:
        assert len(self.confirmed) >= self.manifest["threshold"]
        assert self.key == ZERO
        for dealer in self.deals.keys() - self.out:
            self.key = add(self.key, point(self.deals[dealer]["commitments"][0]))
        assert body == {"head": self.head.hex(), "key": pack(self.key).hex()}

    def take_ballot(self, author: str, body: Any, after: bytes) -> None:
        assert self.key != ZERO
        assert not self.closing
        assert author not in self.ballots
        assert body.keys() == {"yes", "no", "yes_proof", "no_proof", "sum_proof"}
        pairs = {part: (point(body[part]["nonce"]), point(body[part]["masked"])) for part in ("yes", "no")}
        context = h("ballot", self.id, self.key, author, self.signer("ballot", author), *pairs["yes"], *pairs["no"])
        pairs["sum"] = tuple(add(p, q) for p, q in zip(pairs["yes"], pairs["no"]))  # type: ignore[assignment]
        for label, (a, b) in pairs.items():
            (c0, z0), (c1, z1) = (two(p) for p in body[f"{label}_proof"])
            zero = sub(mul(z0, G), mul(c0, a)), sub(mul(z0, self.key), mul(c0, b))
            one = sub(mul(z1, G), mul(c1, a)), sub(mul(z1, self.key), mul(c1, sub(b, G)))
            assert (c0 + c1) % L == c_of(label, context, self.key, a, b, *zero, *one)
        self.ballots[author] = pairs

    def take_close(self, author: str, body: Any, after: bytes) -> None:
        assert self.key != ZERO
        assert not self.closing
        assert self.ballots
        assert body == {"head": self.head.hex(), "ballots": len(self.ballots)}
        weights = {v["name"]: v["weight"] for v in self.voters}
        for part in ("yes", "no"):
            a = b = ZERO
            for name, pairs in self.ballots.items():
                a = add(a, mul(weights[name], pairs[part][0]))
                b = add(b, mul(weights[name], pairs[part][1]))
            self.totals[part] = (a, b)
        self.closing = after

    def take_share(self, author: str, body: Any, after: bytes) -> None:
        assert body["closing"] == self.closing.hex()
        assert author not in self.shares
        assert self.result is None
        w = ZERO
        for dealer in self.deals.keys() - self.out:
            w = add(w, self.at(dealer, self.index(author)))
        context = h("share", self.id, self.closing, author, *self.totals["yes"], *self.totals["no"])
        for part in ("yes", "no"):
            a, p, (c, z) = self.totals[part][0], point(body[part]["point"]), two(body[part]["proof"])
            first, second = sub(mul(z, G), mul(c, w)), sub(mul(z, a), mul(c, p))
            assert c == c_of(f"share {part}", context, w, a, p, first, second)
        self.shares[author] = body

    def take_result(self, author: str, body: Any, after: bytes) -> None:
        assert self.result is None
        chosen = list(self.shares)[: self.manifest["threshold"]]
        assert len(chosen) == self.manifest["threshold"]
        assert body.keys() == {"head", "yes", "no", "abstain"}
        assert body["head"] == self.head.hex()
        for part in ("yes", "no"):
            found = self.totals[part][1]
            for name in chosen:
                factor = 1
                for other in chosen:
                    if other != name:
                        i, j = self.index(name), self.index(other)
                        factor = factor * j * pow(j - i, -1, L) % L
                found = sub(found, mul(factor, point(self.shares[name][part]["point"])))
            assert type(body[part]) is int
            assert found == mul(body[part], G)
        weights = {v["name"]: v["weight"] for v in self.voters}
        assert body["yes"] + body["no"] + body["abstain"] == sum(weights[n] for n in self.ballots)
        assert min(body["yes"], body["no"], body["abstain"]) >= 0
        self.result = body["yes"], body["no"], body["abstain"]
