"""Regular languages: against Python's `re`, and classes of strings against all short strings."""

from __future__ import annotations

import re
from itertools import pairwise, product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from policydsl.regular import (
    PatternError,
    StringClass,
    check,
    classes,
    contains_regex,
    glob_to_regex,
    member,
    members,
    quote,
)
from policydsl.regular_build import LAST, Builder, complement, union

LIMIT = 5_000


def by_re(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text, re.ASCII | re.DOTALL) is not None


ATOMS = [
    "a",
    "b",
    "c",
    ".",
    "\\.",
    "\\d",
    "\\w",
    "\\s",
    "\\D",
    "\\W",
    "\\S",
    "[ab]",
    "[^a]",
    "[a-c]",
    "[^\\d-]",
    "[-b]",
    "é",
    "[\\w.]",
    "[.*]",
    "a",
    "é",
    "(?:ab|)",
    "()",
    "-",
]
atoms = st.sampled_from([*ATOMS, " "])
quantifiers = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "{,1}", "{0}", "{2,3}"])
patterns = st.recursive(
    st.builds("{}{}".format, atoms, quantifiers),
    lambda inner: st.one_of(
        st.lists(inner, min_size=0, max_size=3).map("".join),
        st.builds("({}|{}){}".format, inner, inner, quantifiers),
        st.builds("(?:{}){}".format, inner, quantifiers),
    ),
    max_leaves=6,
)
texts = st.one_of(st.text("abc", max_size=6), st.text("ab.1é \n-_*Z\U0001f600", max_size=5))


@settings(max_examples=1500, deadline=None)
@given(patterns, st.lists(texts, min_size=1, max_size=8))
@example("(a*)*b", ["aaaa"])
@example("(a|b)*a(a|b){3}", ["abbb", "bbbb", "abab"])
@example("(a?){3}a{3}", ["aaa", "aa", "aaaaaa", "aaaaaaa"])
@example("(a?b?){2,3}", ["abab", "ababab", "abababab", "ba"])
def test_membership_is_that_of_python(pattern: str, tried: list[str]) -> None:
    for text in tried:
        assert member(pattern, text) is by_re(pattern, text)


@settings(max_examples=300, deadline=None)
@given(patterns, st.data())
def test_strings_that_python_can_make_are_members(pattern: str, data: st.DataObject) -> None:
    """Random texts seldom match; these do."""
    text = data.draw(st.from_regex(re.compile(pattern, re.ASCII | re.DOTALL), fullmatch=True))
    if by_re(pattern, text):
        assert member(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "offset"),
    [
        ("a^", 1),
        ("$", 0),
        ("a\\b", 1),
        ("(a)\\1", 3),
        ("(?=a)", 0),
        ("(?!a)", 0),
        ("(?<=a)", 0),
        ("(?P<n>a)", 0),
        ("(?i)a", 0),
        ("a(b", 1),
        ("a)b", 1),
        ("*a", 0),
        ("a|*", 2),
        ("a**", 2),
        ("a*?", 2),
        ("a++", 2),
        ("{2}", 0),
        ("a{", 1),
        ("a{,}", 1),
        ("a{x}", 1),
        ("a{2", 1),
        ("a{3,2}", 1),
        ("a{1001}", 1),
        ("a{99999999999}", 2),
        ("[a", 0),
        ("[]", 0),
        ("[]a]", 0),
        ("[b-a]", 1),
        ("[a-\\d]", 1),
        ("[\\d-a]", 1),
        ("a\\", 1),
        ("\\x1", 0),
        ("\\u12g4", 0),
        ("\\pL", 0),
        ("\\A", 0),
        ("[\\b]", 1),
        ("(" * 60 + ")" * 60, 51),
    ],
)
def test_what_is_outside_the_subset_is_an_error_with_its_place(pattern: str, offset: int) -> None:
    with pytest.raises(PatternError) as found:
        check(pattern)
    assert found.value.offset == offset
    assert str(found.value) == f"{found.value.text} at offset {offset}"


@pytest.mark.parametrize("pattern", ["", "a{2}", "[a-]", "[-a]", "[^-]", "]", "}", "a|", "()", "#", "a b", "\\-\\#\\/"])
def test_what_is_in_the_subset_is_read_as_by_python(pattern: str) -> None:
    check(pattern)
    for text in ("", "a", "aa", "-", "]", "}", "[", "#", "a b", "-#/", "b"):
        assert member(pattern, text) is by_re(pattern, text)


@given(st.text("ab.^$*+?{}[]\\|()-# \n", max_size=8), st.text("ab.^$*+?{}[]\\|()-# \n", max_size=8))
def test_a_quoted_literal_matches_itself_alone(literal: str, text: str) -> None:
    for found in (member, by_re):
        assert found(quote(literal), literal)
        assert found(quote(literal), text) is (text == literal)


@given(st.text("ab.*?\\", max_size=6), st.text("ab.*?\\\n", max_size=6))
def test_globs(glob: str, text: str) -> None:
    """By the definition: a star takes any number of characters."""

    def like(g: str, t: str) -> bool:
        if not g:
            return not t
        if g[0] == "*":
            return any(like(g[1:], t[i:]) for i in range(len(t) + 1))
        return bool(t) and (g[0] in ("?", t[0])) and like(g[1:], t[1:])

    assert member(glob_to_regex(glob), text) is like(glob, text)
    assert by_re(glob_to_regex(glob), text) is like(glob, text)


@given(patterns, texts)
def test_containing(pattern: str, text: str) -> None:
    inside = any(by_re(pattern, text[i:j]) for i in range(len(text) + 1) for j in range(i, len(text) + 1))
    assert member(contains_regex(pattern), text) is inside


def test_containing_an_alternative() -> None:
    assert not member(contains_regex("ab|cd"), "b")
    assert member(contains_regex("ab|cd"), "xcdx")


def test_long_texts_and_hard_patterns() -> None:
    text = "ab" * 20_000
    assert member(contains_regex("b{3}"), text) is False
    assert member(glob_to_regex("*a*b*a*b*a*b*c*"), text) is False
    assert member("(a|aa|aaa)*b?(ab)*", "a" * 5_000 + "b") is True
    assert member("(a*)*(a*)*(a*)*b", "a" * 5_000) is False
    hard = "(a|b)*a(a|b){60}"
    for _ in range(3):
        assert member(hard, "ab" * 500) is by_re(hard[6:], ("ab" * 500)[-61:])
        assert member(hard, "ab" * 500 + "b") is True


small = st.recursive(
    st.sampled_from(["a", "b", "c", ".", "[^a]", "[ab]", "a*", "b?", "(?:ab|c)", "a{2}", ".*"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("(?:{})*".format, inner),
    ),
    max_leaves=5,
)
SHORT = ["".join(t) for n in range(5) for t in product("abcd", repeat=n)]


@settings(max_examples=300, deadline=None)
@given(st.lists(small, max_size=3))
def test_classes_are_all_combinations_that_are_not_empty(found_in: list[str]) -> None:
    found = classes(found_in, LIMIT)
    assert found is not None
    by_membership = {c.membership: c for c in found}
    assert len(by_membership) == len(found)
    for c in found:
        assert tuple(by_re(p, c.witness) for p in found_in) == c.membership
    for text in SHORT:
        c = by_membership[tuple(by_re(p, text) for p in found_in)]
        assert len(c.witness) <= len(text)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["a", "b", "[ab]?", "[ab]{2}", "a?b?", "a{0,3}", "(?:ab|ba|c)", "", "a*", ".*", ".b"]),
        max_size=3,
    )
)
def test_sizes_of_finite_classes(found_in: list[str]) -> None:
    """What is finite here has only members of up to three of these letters."""
    found = classes(found_in, LIMIT)
    assert found is not None
    for c in found:
        listed = [t for t in SHORT if tuple(by_re(p, t) for p in found_in) == c.membership]
        made = members(found_in, c.membership, 40, LIMIT)
        assert len(set(made)) == len(made)
        assert all(tuple(by_re(p, t) for p in found_in) == c.membership for t in made)
        assert made == sorted(made, key=len)
        if c.finite_size is None:
            assert len(made) == 40
        else:
            assert c.finite_size == len(listed)
            assert sorted(made) == sorted(listed)


def test_sizes_of_classes_over_all_characters() -> None:
    assert classes(["."], LIMIT) == [StringClass((False,), "", None), StringClass((True,), "a", None)]
    assert classes(["[a-z]{2}"], LIMIT) == [StringClass((False,), "", None), StringClass((True,), "aa", 676)]
    assert classes(["[0-9]{3}"], LIMIT) == [StringClass((False,), "", None), StringClass((True,), "000", 1_000)]
    assert classes(["[0-9]{3}a?"], LIMIT) == [StringClass((False,), "", None), StringClass((True,), "000", None)]
    assert classes([], LIMIT) == [StringClass((), "", None)]


def test_a_language_and_its_double_share_a_class() -> None:
    assert [c.membership for c in classes(["a|b", "[ab]"], LIMIT) or ()] == [(False, False), (True, True)]
    assert [c.membership for c in classes(["a.*", ".*b", "a.*b"], LIMIT) or ()] == [
        (False, False, False),
        (False, True, False),
        (True, False, False),
        (True, True, True),
    ]
    assert [c.membership for c in classes([".*"], LIMIT) or ()] == [(True,)]


def test_witnesses_are_short_and_readable() -> None:
    found = classes([glob_to_regex("*bit.ly/*"), contains_regex("sk-[a-z0-9]+"), "[^a-zA-Z]+", "[^ -~]"], LIMIT)
    witnesses = {c.membership: c.witness for c in found or ()}
    assert witnesses[True, False, False, False] == "bit.ly/"
    assert witnesses[False, True, False, False] == "sk-a"
    assert witnesses[False, False, True, False] == "0"
    assert witnesses[False, False, True, True].isprintable()
    assert (True, False, True, False) not in witnesses


def test_too_many_states_are_given_up() -> None:
    assert classes(["(a|b)*a(a|b){12}"], 1_000) is None
    assert members(["(a|b)*a(a|b){12}"], (True,), 3, 1_000) == []


def test_derivatives_of_globs_stay_few() -> None:
    found = classes([glob_to_regex(f"*one{i}*two{i}*") for i in range(4)], LIMIT)
    assert found is not None
    assert len(found) == 16


ranges = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)).map(lambda p: ((p[0], p[0] + p[1]),)), max_size=4)


@given(ranges)
def test_sets_of_characters(parts: list[tuple[tuple[int, int], ...]]) -> None:
    found: tuple[tuple[int, int], ...] = ()
    for part in parts:
        found = union(found, part)
    inside = {c for ((low, high),) in parts for c in range(low, high + 1)}
    assert {c for low, high in found for c in range(low, high + 1)} == inside
    assert all(a[1] + 1 < b[0] for a, b in pairwise(found))
    outside = complement(found)
    assert complement(outside) == found
    assert all(any(low <= c <= high for low, high in outside) is (c not in inside) for c in (*range(40), LAST))


def test_no_characters_are_nothing() -> None:
    build = Builder()
    assert build.chars(()) == build.nothing
    assert build.cat((build.everything, build.nothing)) == build.nothing
    assert not member("[^\\x00-\\uffff]", "a")
    assert member("[^\\x00-\\uffff]", "\U0001f600")
