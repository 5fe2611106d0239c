"""Tampering: whatever is changed in a log, removed, added or moved is reported, and so is what was cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_samples import AT, REQUESTS, SYSTEM, head_of, lines_of, recorded, tree_of

from runtime import heads
from runtime.heads import Head
from runtime.log_file import Fault, LogReport, from_line, to_line, to_lines, verify, verify_records
from runtime.merkle import EMPTY, Frontier
from runtime.records import event_bytes, from_bytes

RECORDS = recorded(SYSTEM, REQUESTS[:5])
LINES = lines_of(RECORDS)
SIZE = len(RECORDS)
HEAD = head_of(RECORDS)
KEY = heads.generate_key(b"k" * 32)
OTHER = heads.generate_key(b"o" * 32)
PUBLIC = heads.public_of(KEY)
SIGNED = list(to_lines(RECORDS, heads.sign(HEAD, KEY)))


def numbers(report: LogReport) -> set[int | None]:
    return {f.number for f in report.faults}


def texts(report: LogReport) -> str:
    return "\n".join(map(str, report.faults))


def split(data: bytes) -> list[bytes]:
    """As files are read: line breaks are kept, and are line feeds alone."""
    return [part + b"\n" for part in data.split(b"\n")[:-1]] + ([data.split(b"\n")[-1]] if data[-1:] != b"\n" else [])


def rewritten(records: Iterable[bytes]) -> list[bytes]:
    """The lines of these records, their hashes right, under the head of the log as it was."""
    return [*(to_line("record", r) for r in records), LINES[-1]]


# ---- what is whole


def test_a_log_as_it_was_written_has_no_faults() -> None:
    for lines, head, key in (
        (LINES, None, None),
        (LINES, HEAD, None),
        (SIGNED, None, PUBLIC),
        (SIGNED, heads.sign(HEAD, KEY), PUBLIC),
    ):
        report = verify(lines, head, key)
        assert report.faults == ()
        assert report.whole
        assert (report.size, report.root) == (SIZE, HEAD.root)


def test_an_empty_log_is_whole() -> None:
    report = verify(lines_of([]))
    assert report.whole
    assert (report.size, report.root) == (0, EMPTY)


@pytest.mark.parametrize("size", range(SIZE + 1))
def test_a_log_that_grew_agrees_with_every_earlier_head(size: int) -> None:
    assert verify(LINES, head_of(RECORDS[:size])).whole


def test_lines_come_back_as_they_were() -> None:
    for line, record in zip(LINES, RECORDS, strict=False):
        found = from_line(line)
        assert (found.kind, found.text, found.fault) == ("record", record, "")
        assert to_line("record", record) == line
    assert from_line(LINES[-1]).kind == "head"


def test_what_is_not_shown_is_said() -> None:
    assert len(verify(LINES).remarks) == 2
    assert "nothing is signed" in verify(LINES).remarks[1]
    assert "no trusted key" in verify(SIGNED).remarks[1]
    assert len(verify(SIGNED, None, PUBLIC).remarks) == 1
    assert "kept elsewhere" in verify(SIGNED, None, PUBLIC).remarks[0]
    assert verify(LINES, HEAD).remarks == ()
    assert verify(LINES, head_of(RECORDS[:2])).remarks == (
        f"the head that was kept covers 2 records, and {SIZE - 2} are later",
    )


# ---- what was done to the bytes


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
@pytest.mark.parametrize("number", range(SIZE + 1))
def test_every_changed_byte_is_reported(number: int, flip: int) -> None:
    line = LINES[number]
    for i in range(len(line)):
        damaged = line[:i] + bytes([line[i] ^ flip]) + line[i + 1 :]
        report = verify(split(b"".join([*LINES[:number], damaged, *LINES[number + 1 :]])))
        assert not report.whole, (i, damaged)
        if number < SIZE and b"\n" not in damaged[:-1] and damaged.endswith(b"\n"):
            assert number in numbers(report), (i, texts(report))


@pytest.mark.parametrize("number", range(SIZE + 1))
def test_every_removed_byte_is_reported(number: int) -> None:
    line = LINES[number]
    for i in range(len(line)):
        damaged = [*LINES[:number], line[:i] + line[i + 1 :], *LINES[number + 1 :]]
        assert not verify(split(b"".join(damaged))).whole, i


def test_a_log_that_ends_early_is_reported_wherever_it_ends() -> None:
    data = b"".join(LINES)
    assert verify(split(data)).whole
    for end in range(len(data)):
        assert not verify(split(data[:end])).whole, end


@given(st.binary(max_size=40), st.integers(0, len(b"".join(LINES))))
def test_what_is_put_in_is_reported(more: bytes, at: int) -> None:
    data = b"".join(LINES)
    changed = data[:at] + more + data[at:]
    assert verify(split(changed)).whole is (changed == data)


@given(st.binary(max_size=300))
def test_any_bytes_can_be_verified(data: bytes) -> None:
    assert not verify(split(data)).whole


# ---- what was done to the lines, by somebody who computes the hashes again


@pytest.mark.parametrize("number", range(SIZE + 1))
def test_a_removed_line_is_reported(number: int) -> None:
    report = verify([*LINES[:number], *LINES[number + 1 :]])
    assert not report.whole
    if number < SIZE - 1:
        assert Fault(number, "it is missing") in report.faults


def test_several_removed_lines_are_reported() -> None:
    report = verify([LINES[0], *LINES[3:]])
    assert Fault(1, "it is missing, and so are all before record 3") in report.faults


@pytest.mark.parametrize("number", range(SIZE + 1))
def test_a_doubled_line_is_reported(number: int) -> None:
    report = verify([*LINES[: number + 1], *LINES[number:]])
    assert not report.whole
    if number < SIZE:
        assert Fault(number, f"it stands after record {number}: doubled, or out of order") in report.faults


@pytest.mark.parametrize("number", range(SIZE))
def test_swapped_lines_are_reported(number: int) -> None:
    lines = [*LINES[:number], LINES[number + 1], LINES[number], *LINES[number + 2 :]]
    report = verify(lines)
    assert not report.whole
    if number < SIZE - 1:
        assert {number} <= numbers(report) <= {number, None}


@pytest.mark.parametrize("number", range(1, SIZE))
def test_a_rewritten_record_is_reported(number: int) -> None:
    forged = RECORDS[number].replace(b'"principal":"s1"', b'"principal":"s9"')
    assert from_bytes(forged).n == number
    report = verify(rewritten([*RECORDS[:number], forged, *RECORDS[number + 1 :]]))
    assert "their root is not the one it says" in texts(report)


def test_renumbered_records_are_reported() -> None:
    """Record 2 is gone, and those after it have its number and the next."""
    later = [r.replace(b'"n":%d' % (i + 1), b'"n":%d' % i) for i, r in enumerate(RECORDS[3:], 2)]
    assert [from_bytes(r).n for r in later] == list(range(2, SIZE - 1))
    assert "covers 6 records, and there are 5" in texts(verify(rewritten([*RECORDS[:2], *later])))
    added = event_bytes(SIZE - 1, AT, "nothing")
    assert "root" in texts(verify(rewritten([*RECORDS[:2], *later, added])))


def test_an_added_record_is_reported() -> None:
    report = verify(rewritten([*RECORDS, event_bytes(SIZE, AT, "nothing")]))
    assert "covers 6 records, and there are 7" in texts(report)


@pytest.mark.parametrize("text", [b"{}", b"1", b"null", b'{"a":1}', RECORDS[2].replace(b'"n":2', b'"n":2.0'), b"\xff"])
def test_what_is_no_record_is_reported_though_its_hash_is_right(text: bytes) -> None:
    lines = list(to_lines([*RECORDS[:2], text, *RECORDS[3:]], head_of([*RECORDS[:2], text, *RECORDS[3:]])))
    report = verify(lines)
    assert numbers(report) == {2}
    assert "it is no record" in texts(report)


def test_records_after_the_head_are_reported() -> None:
    more = to_line("record", event_bytes(SIZE, AT, "nothing"))
    assert "something follows the head" in texts(verify([*LINES, more]))
    assert "something follows the head" in texts(verify([*LINES, LINES[-1]]))


def test_a_head_that_is_none_is_reported() -> None:
    for text in (b"{}", b"null", b"\xff"):
        assert "the head is none" in texts(verify([*LINES[:-1], to_line("head", text)]))


# ---- who writes all of it anew

FORGED = recorded(SYSTEM, REQUESTS[5:10])


def test_a_log_written_anew_is_told_by_a_head_that_was_kept() -> None:
    assert verify(lines_of(FORGED)).whole, "which is why heads are kept or signed"
    for size in range(2, SIZE + 1):
        assert "their root is not the one it says" in texts(verify(lines_of(FORGED), head_of(RECORDS[:size])))


@pytest.mark.parametrize("size", range(SIZE))
def test_a_log_that_was_cut_back_is_told_by_a_head_that_was_kept(size: int) -> None:
    cut = list(to_lines(RECORDS[:size], heads.sign(head_of(RECORDS[:size]), KEY)))
    assert verify(cut, None, PUBLIC).whole, "it is what the log once was"
    assert f"covers {SIZE} records, and there are {size}" in texts(verify(cut, heads.sign(HEAD, KEY), PUBLIC))


def test_only_the_trusted_key_signs() -> None:
    def ending(head: Head) -> str:
        return texts(verify(list(to_lines(FORGED, head)), None, PUBLIC))

    head = head_of(FORGED)
    assert ending(heads.sign(head, KEY)) == ""
    assert "the head is unsigned" in ending(head)
    assert "another key" in ending(heads.sign(head, OTHER))
    named = replace(heads.sign(head, OTHER), key=heads.key_id(PUBLIC))
    assert "does not hold" in ending(named)
    moved = replace(heads.sign(HEAD, KEY), root=head.root)
    assert "does not hold" in ending(moved)
    assert "another key" in texts(verify(SIGNED, heads.sign(HEAD, OTHER), PUBLIC))
    assert "unsigned" in texts(verify(SIGNED, HEAD, PUBLIC))


def test_the_head_of_another_time_is_another_head() -> None:
    later = replace(heads.sign(HEAD, KEY), at=AT + 1)
    assert "does not hold" in texts(verify(list(to_lines(RECORDS, later)), None, PUBLIC))


# ---- stores


def store(
    records: list[bytes], head: Head | None = None, tree: Frontier | None = None
) -> tuple[list[bytes], bytes | None, bytes | None]:
    latest = None if head is None else heads.to_text(head).encode("ascii")
    return records, latest, None if tree is None else tree.to_bytes()


@pytest.mark.parametrize(
    "held",
    [
        store([]),
        store([], Head(0, EMPTY, AT), Frontier()),
        store(RECORDS, HEAD, tree_of(RECORDS)),
        store(RECORDS, HEAD),
        store(RECORDS, None, tree_of(RECORDS)),
        store(RECORDS, head_of(RECORDS[:2]), tree_of(RECORDS)),
        store(RECORDS, head_of([]), tree_of(RECORDS)),
    ],
)
def test_a_store_as_it_was_left_is_whole(held: tuple[list[bytes], bytes | None, bytes | None]) -> None:
    report = verify_records(*held)
    assert texts(report) == ""
    assert (report.size, report.root) == (len(held[0]), tree_of(held[0]).root())


TAMPERINGS: list[Callable[[list[bytes]], list[bytes]]] = [
    lambda r: [*r[:2], r[2].replace(b"bit", b"bat").replace(b"s1", b"s2"), *r[3:]],
    lambda r: r[:-1],
    lambda r: [],
    lambda r: [*r[:2], *r[3:]],
    lambda r: [r[1], r[0], *r[2:]],
    lambda r: [*r, r[-1]],
    lambda r: [*r, event_bytes(SIZE, AT, "nothing")],
]


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_a_store_that_was_tampered_with_is_reported(tamper: Callable[[list[bytes]], list[bytes]]) -> None:
    assert not verify_records(*store(tamper(RECORDS), None, tree_of(RECORDS))).whole
    assert not verify_records(*store(tamper(RECORDS), HEAD, tree_of(RECORDS))).whole


@pytest.mark.parametrize("tamper", TAMPERINGS[:-1])
def test_a_head_is_enough_for_what_it_covers(tamper: Callable[[list[bytes]], list[bytes]]) -> None:
    signed = heads.sign(HEAD, KEY)
    assert not verify_records(*store(tamper(RECORDS), signed), None, PUBLIC).whole
    changed = tamper(RECORDS)
    own = store(changed, heads.sign(head_of(changed), OTHER), tree_of(changed))
    assert not verify_records(*own, signed).whole


def test_notes_that_are_none_are_reported() -> None:
    assert "the tree that was noted is none" in texts(verify_records(RECORDS, None, b"nonsense"))
    assert "the head is none" in texts(verify_records(RECORDS, b"nonsense", tree_of(RECORDS).to_bytes()))
    assert "neither a head nor a tree" in texts(verify_records(RECORDS, None, None))
    assert "nothing is signed" in texts(verify_records(*store(RECORDS, None, tree_of(RECORDS)), None, PUBLIC))
