"""Records and a head to the lines of a log file, and lines back to records, with every fault named.

A line is `{"hash":H,"record":R}`, and the last one `{"hash":H,"head":T}`: H is the leaf hash of the text beside it.
NOTE(tamper-evidence): the hashes say which line was damaged, the numbers in the records what is missing, doubled or
out of order, and the root in the head that all of it together is what it was. Each of these can be computed again by
whoever rewrites a log from some record on; not so a signature that a trusted key checks, nor a head that somebody kept
elsewhere. There is one head only, at the end, so that a log cannot be cut back to an earlier one. Still, an older copy
of the log is whole in itself: that it is an older copy, only a head kept elsewhere says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runtime import heads, records
from runtime.heads import Head, MalformedError
from runtime.merkle import EMPTY, Frontier, leaf_hash

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_OPENING = b'{"hash":"'
_HEX = 64
_KINDS = (b"record", b"head")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and with which record; None when it is with the log as a whole."""

    number: int | None
    text: str

    def __str__(self) -> str:
        return self.text if self.number is None else f"record {self.number}: {self.text}"


@dataclass(frozen=True, slots=True)
class LogReport:
    """What a log is: `size` records with this `root`, and the head that came with it, if any.

    Only a log without `faults` is as it was written, as far as the `remarks` allow.
    """

    size: int
    root: bytes
    head: Head | None
    faults: tuple[Fault, ...]
    remarks: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.faults


def to_line(kind: str, text: bytes) -> bytes:
    """One line: `kind` is "record" or "head"."""
    return b'{"hash":"%s","%s":%s}\n' % (leaf_hash(text).hex().encode(), kind.encode(), text)


def to_lines(all_records: Iterable[bytes], head: Head) -> Iterator[bytes]:
    """A log file."""
    for r in all_records:
        yield to_line("record", r)
    yield to_line("head", heads.to_text(head).encode("ascii"))


@dataclass(frozen=True, slots=True)
class Line:
    """What a line holds; `fault` says why it is not as it was written, if so. `kind` is "" when that is unknown."""

    kind: str
    text: bytes
    fault: str = ""


def from_line(line: bytes) -> Line:
    """A line, with its line break, to what it holds; a damaged one to what is left."""
    start = len(_OPENING) + _HEX
    for kind in _KINDS:
        middle = b'","%s":' % kind
        if line.startswith(_OPENING) and line.startswith(middle, start):
            text = line[start + len(middle) :].removesuffix(b"\n").removesuffix(b"}")
            if not line.endswith(b"}\n"):
                return Line(kind.decode(), text, "the line is cut off")
            if leaf_hash(text).hex().encode() != line[len(_OPENING) : start]:
                return Line(kind.decode(), text, "its bytes are not those that its hash was computed of")
            return Line(kind.decode(), text)
    return Line("", line, "this is no line of a log")


@dataclass(slots=True)
class _Check:
    """Records one after another, and what is wrong with them."""

    kept: Head | None
    key: Ed25519PublicKey | None
    tree: Frontier = field(default_factory=Frontier)
    expected: int = 0
    kept_root: bytes | None = None
    faults: list[Fault] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._note_root()

    def _note_root(self) -> None:
        if self.kept is not None and self.kept.size == self.tree.size:
            self.kept_root = self.tree.root()

    def fault(self, text: str, number: int | None = None) -> None:
        self.faults.append(Fault(number, text))

    def record(self, text: bytes, fault: str = "") -> None:
        # Of a record that cannot be read, or not trusted, the place says which one it was.
        number = self.expected
        if not fault:
            try:
                number = records.from_bytes(text).n
            except MalformedError as error:
                fault = f"it is no record: {error}"
        if fault:
            self.fault(fault, number)
        if number > self.expected:
            further = f", and so are all before record {number}" if number > self.expected + 1 else ""
            self.fault(f"it is missing{further}", self.expected)
        elif number < self.expected:
            self.fault(f"it stands after record {self.expected - 1}: doubled, or out of order", number)
        self.expected = max(self.expected, number + 1)
        self.tree.append(text)
        self._note_root()

    def head(self, found: Head, what: str, root: bytes | None) -> None:
        """Compare with a head; `root` is that of as many records as it covers, None when there are not so many."""
        covered = f"{what} covers {found.size} records"
        if root is None:
            self.fault(f"{covered}, and there are {self.tree.size}")
        elif root != found.root:
            self.fault(f"{covered}, and their root is not the one it says: something was changed")
        elif found.size < self.tree.size:
            self.remarks.append(f"{covered}, and {self.tree.size - found.size} are later")
        if self.key is not None:
            wrong = heads.signature_fault(found, self.key)
            if wrong is not None:
                self.fault(f"{what}: {wrong}")

    def report(self, own: Head | None) -> LogReport:
        if self.kept is not None:
            self.head(self.kept, "the head that was kept", self.kept_root)
        else:
            self.remarks.append("no head kept elsewhere was given: an older copy of the log would pass for this one")
            if own is None and self.key is not None:
                self.fault("there is no head, so nothing is signed")
            if self.key is None and (own is None or not own.signed):
                self.remarks.append("nothing is signed: whoever can write to the log can have written all of it anew")
            elif self.key is None and own is not None:
                text = f"the head names the key `{own.key}`, and no trusted key was given: anybody may have signed it"
                self.remarks.append(text)
        return LogReport(self.tree.size, self.tree.root(), own, tuple(self.faults), tuple(self.remarks))


def verify(lines: Iterable[bytes], head: Head | None = None, key: Ed25519PublicKey | None = None) -> LogReport:
    """Everything that is wrong with the lines of a log file, line breaks included; see NOTE(tamper-evidence).

    `head` is one that was kept elsewhere, of this log or of what it was earlier. With a trusted `key`, both heads must
    be signed with it.
    """
    check = _Check(head, key)
    own: Head | None = None
    ended = False
    for line in lines:
        found = from_line(line)
        if ended:
            check.fault("something follows the head, which ends a log", check.expected)
        if found.kind == "head":
            ended = True
            own = _own_head(check, found)
        else:
            check.record(found.text, found.fault)
    if own is not None:
        # There, the head covers the log exactly.
        check.head(own, "the head", check.tree.root() if own.size == check.tree.size else None)
    elif not ended:
        check.fault("the log does not end with a head: it is cut off")
    return check.report(own)


def _own_head(check: _Check, line: Line) -> Head | None:
    if line.fault:
        check.fault(f"the head: {line.fault}")
        return None
    try:
        return heads.from_text(line.text.decode("ascii"))
    except (MalformedError, UnicodeDecodeError) as error:
        check.fault(f"the head is none: {error}")
        return None


def verify_records(
    all_records: Iterable[bytes],
    latest: bytes | None,
    frontier: bytes | None,
    head: Head | None = None,
    key: Ed25519PublicKey | None = None,
) -> LogReport:
    """The same for what a store holds: its records, and its notes with the latest head and the frontier of the tree.

    The head may be older than the last records; the frontier, which nobody signs, covers all of them.
    """
    check = _Check(head, key)
    own = None
    if latest is not None:
        own = _own_head(check, Line("head", latest))
    own_root = EMPTY if own is not None and own.size == 0 else None
    for r in all_records:
        check.record(r)
        if own is not None and own.size == check.tree.size:
            own_root = check.tree.root()
    if own is not None:
        check.head(own, "the head", own_root)
    try:
        if frontier is not None and Frontier.from_bytes(frontier) != check.tree:
            check.fault("the tree that was noted is not that of the records: something was changed, added or cut off")
    except ValueError as error:
        check.fault(f"the tree that was noted is none: {error}")
    if latest is None and frontier is None and check.tree.size:
        check.fault("there is neither a head nor a tree: nothing says what the records were")
    return check.report(own)
