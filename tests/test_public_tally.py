"""Public votes: sums are exact, 28 published totals come out, and other totals do not."""

from __future__ import annotations

import csv
import gzip
import json
import lzma
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policyctl.cli import run
from voting.faults import Code, RefusedError
from voting.public_tally import Agreement, Count, Published, agreement, binary64, count, decimal, vote_of

DAO = Path(__file__).parent / "data" / "dao"
HEADER = "proposal_id,voter,voting_power,choice\n"


def proposals() -> dict[str, dict[str, str]]:
    with (DAO / "proposals.csv").open(encoding="utf-8", newline="") as file:
        return {row["proposal_id"]: row for row in csv.DictReader(file)}


def rows() -> list[dict[str, str | None]]:
    text = lzma.decompress((DAO / "votes.csv.xz").read_bytes()).decode()
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture(scope="module")
def counts() -> dict[str, Count]:
    return count((str(n), vote_of(row, str(n))) for n, row in enumerate(rows()))


def said(proposal: dict[str, str]) -> Published:
    return Published(Fraction(proposal["scores_total"]), int(proposal["votes"]))


def test_all_published_totals_come_out(counts: dict[str, Count]) -> None:
    published = proposals()
    assert counts.keys() == published.keys()
    assert sum(c.votes for c in counts.values()) == 19_970
    found = [agreement(counts[p], said(row)) for p, row in published.items()]
    assert len(found) == 28
    assert Agreement.DIFFERENT not in found
    assert found.count(Agreement.NEAREST) == 9
    # A few parts in 10^15: the last of the digits that a binary64 number has.
    assert max(abs(said(row).total / counts[p].total - 1) for p, row in published.items()) < Fraction(3, 10**15)


def test_the_share_of_the_first_choice_comes_out_too(counts: dict[str, Count]) -> None:
    for name, row in proposals().items():
        share = 100 * max(counts[name].scores.values()) / counts[name].total
        assert abs(share - Fraction(row["top_choice_pct"])) <= Fraction(1, 20), name


def test_scores_are_parts_of_the_whole(counts: dict[str, Count]) -> None:
    assert all(sum(c.scores.values()) == c.total for c in counts.values())


def test_a_vote_too_few_or_too_many_does_not_come_out(counts: dict[str, Count]) -> None:
    published = proposals()
    noticed = 0
    for row in rows():
        name, power = row["proposal_id"] or "", Fraction(row["voting_power"] or "")
        counted = counts[name]
        less = Count(counted.votes - 1, counted.terms - 1, counted.total - power)
        assert agreement(less, said(published[name])) is Agreement.DIFFERENT
        noticed += agreement(less, Published(said(published[name]).total)) is Agreement.DIFFERENT
    # By the sum alone nobody sees a vote of a millionth of a token.
    assert 19_000 < noticed < 19_970


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**24), min_size=1, max_size=60), st.randoms())
def test_a_sum_of_floats_in_any_order_is_as_published(units: list[int], random: object) -> None:
    texts = [f"{n // 10**12}.{n % 10**12:012}" for n in units]
    counted = Count(len(texts), len(texts), sum((Fraction(t) for t in texts), Fraction(0)))
    random.shuffle(texts)  # type: ignore[attr-defined]
    floats = 0.0
    for text in texts:
        floats += float(text)
    assert agreement(counted, Published(Fraction(repr(floats)))) is not Agreement.DIFFERENT


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**24), min_size=1, max_size=60), st.integers(1, 10**9))
def test_a_sum_that_is_off_by_a_millionth_part_is_not(units: list[int], millionths: int) -> None:
    counted = Count(len(units), len(units), Fraction(sum(units), 10**12))
    off = counted.total * (1 + Fraction(millionths, 10**6))
    assert agreement(counted, Published(off)) is Agreement.DIFFERENT


@settings(deadline=None)
@given(st.fractions(0, 10**20) | st.floats(0, 1e300, allow_subnormal=False).map(Fraction))
def test_the_nearest_binary64_number_is_the_one_that_machines_take(value: Fraction) -> None:
    assume(value == 0 or value > Fraction(1, 10**300))
    assert binary64(value) == Fraction(float(value))


@pytest.mark.parametrize(
    "value", [2**53 + 1, 2**53 + 3, 2**54 - 1, 2**54 - 2, 2**60 + 1, Fraction(1, 3), Fraction(1, 10)]
)
def test_ties_and_ends_of_ranges(value: Fraction | int) -> None:
    assert binary64(Fraction(value)) == Fraction(float(value))


@settings(deadline=None)
@given(st.fractions(0, 10**12), st.integers(0, 12))
def test_decimals(value: Fraction, places: int) -> None:
    with localcontext(prec=60):
        expected = Decimal(round(value * 10**places)).scaleb(-places)
        assert decimal(value, places) == f"{expected:.{places}f}"


def vote(power: str = "1", choice: str = "1", voter: str = "a") -> dict[str, str | None]:
    return {"proposal_id": "p", "voter": voter, "voting_power": power, "choice": choice}


def test_parts_of_a_power() -> None:
    one = vote_of(vote("0.3", "{'2': 1, '3': 2}"), "here")
    assert one.shares == {"2": Fraction(1, 3), "3": Fraction(2, 3)}
    assert count([("here", one)])["p"].scores == {"2": Fraction(1, 10), "3": Fraction(1, 5)}
    assert vote_of(vote("2.5e-3"), "here").power == Fraction(1, 400)
    assert vote_of(vote("1", '{"1": 0.5}'), "here").shares == {"1": 1}


@pytest.mark.parametrize(
    "power", ["-1", "1_000", "nan", "inf", "1e9999", "0x10", "１", "1/3", " 1", "1e+", ".", "9" * 41]
)
def test_powers_that_are_none(power: str) -> None:
    with pytest.raises(RefusedError) as caught:
        vote_of(vote(power), "line 7")
    assert [(f.code, f.place) for f in caught.value.faults] == [(Code.WEIGHT, "line 7")]


@pytest.mark.parametrize(
    "choice", ["yes", "-1", "{}", "{'1': 0}", "{'1': 1, '1': 1}", "[1, 2]", "{'1': -1}", "{1: 1}", "{'1': 1", "1" * 10]
)
def test_choices_that_are_none(choice: str) -> None:
    with pytest.raises(RefusedError) as caught:
        vote_of(vote("1", choice), "line 7")
    assert [(f.code, f.place) for f in caught.value.faults] == [(Code.SHAPE, "line 7")]


@pytest.mark.parametrize("column", ["proposal_id", "voter", "voting_power", "choice"])
@pytest.mark.parametrize("value", [None, ""])
def test_missing_values(column: str, value: str | None) -> None:
    with pytest.raises(RefusedError, match=f"there is no {column}"):
        vote_of({**vote(), column: value}, "line 7")


@pytest.mark.parametrize("column", ["proposal_id", "voter"])
def test_names_do_not_write_on_the_screen(column: str) -> None:
    with pytest.raises(RefusedError, match="printable"):
        vote_of({**vote(), column: "a\x1b[2J"}, "line 7")


def test_nobody_votes_twice() -> None:
    votes = [(f"line {n}", vote_of(vote(voter=v), "")) for n, v in enumerate("abab", 2)]
    with pytest.raises(RefusedError) as caught:
        count(votes)
    assert [str(f) for f in caught.value.faults] == [
        "line 4: a has voted on p in line 2 [duplicate]",
        "line 5: b has voted on p in line 3 [duplicate]",
    ]


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tally", str(DAO / "votes.csv.xz"), "--published", str(DAO / "proposals.csv")]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 29
    assert all(line.startswith("✓ 0x") for line in shown[:28])
    assert shown[28].startswith("28 proposals, 19970 votes · 28 of 28 totals are as published: 9 to the last bit")


def test_a_total_that_is_another_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    votes, published = tmp_path / "v.csv.gz", tmp_path / "p.csv"
    votes.write_bytes(gzip.compress(f"{HEADER}p,a,0.1,1\np,b,0.2,2\nq,a,5,1\n".encode()))
    published.write_text("proposal_id,scores_total\np,0.30000000000000004\nr,1\n")
    assert run(["tally", str(votes), "--published", str(published)]) == 0
    assert "1 of 1 totals are as published: 0 to the last bit" in capsys.readouterr().out
    for text in ("p,0.3000001", "p,0.2"):
        published.write_text(f"proposal_id,scores_total\n{text}\n")
        assert run(["tally", str(votes), "--published", str(published)]) == 3
        assert "✗ p      2 votes            0.300000000   2: 66.7 %   published: 0." in capsys.readouterr().out
    published.write_text("proposal_id,scores_total,votes\np,0.3,3\n")
    assert run(["tally", str(votes), "--published", str(published)]) == 3
    capsys.readouterr()
    assert run(["tally", str(votes), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0] == {
        "proposal_id": "p",
        "votes": 2,
        "total": "3/10",
        "scores": {"1": "1/10", "2": "1/5"},
        "published": None,
    }


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("v.csv", b"", ""),
        ("v.csv", b"\xff\xfe", "this table cannot be read"),
        ("v.csv.gz", b"hello", "this table cannot be read"),
        ("v.csv.xz", b"hello", "this table cannot be read"),
        ("v.csv", HEADER.encode() + b'p,a,"1', "this table cannot be read"),
        ("v.csv", HEADER.encode() + b"p,a,x,1\n", "v.csv, line 2: `x` is not the power of a vote [weight]"),
        ("v.csv", b"a,b\n1,2\n", "there is no proposal_id"),
    ],
)
def test_tables_that_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(data)
    assert run(["tally", str(tmp_path / name)]) == (1 if why else 0)
    assert why in capsys.readouterr().err
