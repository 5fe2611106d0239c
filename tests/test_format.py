"""The formatter: one layout, reached in one step, that never changes what a policy says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mangle import SAMPLES, mangled

from policydsl.diagnostics import Report
from policydsl.from_text import parse
from policydsl.to_text import format_text

SPECS = sorted((Path(__file__).parent.parent / "specs").rglob("*.policy"))

LAYOUTS = {
    "const  X=1": "const X = 1\n",
    "\n\nentity A\n\n\n\nentity B\n\n": "entity A\n\nentity B\n",
    "\ufeffentity A\r\nentity B\r\n": "entity A\nentity B\n",
    "state x:Int[0 .. 3]=- 1": "state x: Int[0..3] = -1\n",
    "param x:Duration[ 1h..48h ]=4h": "param x: Duration[1h..48h] = 4h\n",
    "state x : Set < A >={ a,b }": "state x : Set<A> = {a, b}\n",
    "state x : ( A , B )->Set<Set<A>> ? = { }": "state x : (A, B) -> Set<Set<A>>? = {}\n",
    "enum A {a,b}": "enum A { a, b }\n",
    "invariant i :x-1<- y *( z+2 )": "invariant i : x - 1 < -y * (z + 2)\n",
    "invariant i:forall b :A .f ( b )": "invariant i: forall b : A . f(b)\n",
    "invariant i:forall b: A.f(b) . g [ 1 ]": "invariant i: forall b: A.f(b) . g[1]\n",
    'action a(x:A){require m [x]>0 else\t"no"   }': 'action a(x: A) { require m[x] > 0 else "no" }\n',
    "action a() {\nx:=1\n    if y {\nx:=2\n}else{\n x+=3 } }": (
        "action a() {\n  x := 1\n  if y {\n    x := 2\n  } else {\n    x += 3 } }\n"
    ),
    'forbid r on a\nwhen x\n    and y\nbecause "z"\nentity B': (
        'forbid r on a\n  when x\n    and y\n  because "z"\nentity B\n'
    ),
    "invariant i:\nx\n      and y": "invariant i:\n  x\n      and y\n",
    "action a() {\n  require x\n  and y\n  z := 1 +\n  2\n}": (
        "action a() {\n  require x\n    and y\n  z := 1 +\n    2\n}\n"
    ),
    "action a(\nx: A,\ny: B\n) {\nx := y\n}": "action a(\n  x: A,\n  y: B\n) {\n  x := y\n}\n",
    "action a() {\n  if x in {\n  A,\n  B } {\n y := 1\n}\n}": (
        "action a() {\n  if x in {\n    A,\n    B} {\n    y := 1\n  }\n}\n"
    ),
    "// one\n\n  // two\nentity A //three\n\t/// four\nentity B": (
        "// one\n\n// two\nentity A  //three\n/// four\nentity B\n"
    ),
    "action a() {\n// in\nx := 1\n// out\n}\n// end": "action a() {\n  // in\n  x := 1\n  // out\n}\n// end\n",
    "forbid r on a\n// why\nwhen once within 1h(e by x)": "forbid r on a\n  // why\n  when once within 1h (e by x)\n",
    "forbid r on a when once within W (e by x)": "forbid r on a when once within W (e by x)\n",
    "limit r on a to - 5 per 1m": "limit r on a to - 5 per 1m\n",
    "limit r on a to limit-5 per 1m": "limit r on a to limit - 5 per 1m\n",
    "const  A   = 1\nconst  LONG= 2": "const A = 1\nconst LONG = 2\n",
    "const A     = 1\nconst LONG  = 22  // x\nconst B     = 3   // y": (
        "const A    = 1\nconst LONG = 22  // x\nconst B    = 3   // y\n"
    ),
    "const A     = 1\n\nconst LONG  = 2": "const A = 1\n\nconst LONG = 2\n",
    'test "t" {\n at 0s  f(x)     expect allow\n      expect y == 1\n at 10s g(x, y)  expect deny\n}': (
        'test "t" {\n  at 0s  f(x)    expect allow\n  expect y == 1\n  at 10s g(x, y) expect deny\n}\n'
    ),
    'test "t" {\nf(x)  expect pending by r  // asked\nat 1h5m   approve  r expect allow\n// with care\n'
    "with g ( x ),h()\n  without k,l\nrefuse  r\n approve( x )\n}": (
        'test "t" {\n  f(x) expect pending by r  // asked\n  at 1h5m approve r expect allow\n    // with care\n'
        "    with g(x), h()\n    without k, l\n  refuse r\n  approve(x)\n}\n"
    ),
}


@pytest.mark.parametrize(("text", "wanted"), LAYOUTS.items(), ids=[t[:40] for t in LAYOUTS])
def test_the_layout(text: str, wanted: str) -> None:
    assert format_text(text) == wanted


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=[t[:40] for t in LAYOUTS.values()])
def test_what_has_the_layout_keeps_it(text: str) -> None:
    assert format_text(text) == text


@pytest.mark.parametrize(
    "text", ["const X = 'a'", "entity A ; entity B", "state x : Int = 1.5", 'pattern p = "a', "\0"]
)
def test_what_cannot_be_read_is_left_alone(text: str) -> None:
    assert format_text(text) == text


def test_nothing_stays_nothing() -> None:
    assert format_text("") == ""
    assert format_text(" \n\n") == ""


def formats(text: str) -> None:
    once = format_text(text)
    assert format_text(once) == once
    before, after = Report(), Report()
    assert parse("t.policy", once, after) == parse("t.policy", text, before)
    assert [(d.code, d.text) for d in after.sorted()] == [(d.code, d.text) for d in before.sorted()]
    if once != text:
        assert before.found == [] or not any(d.code in {"E002", "E003", "E018"} for d in before.found)
        assert all(line == line.rstrip() for line in once.split("\n"))
        assert "\n\n\n" not in once
        assert once == "" or once.endswith("\n")
        assert not once.startswith("\n")


@pytest.mark.parametrize("path", SPECS, ids=[p.stem for p in SPECS])
def test_policies_that_ship_mean_the_same_afterwards(path: Path) -> None:
    formats(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_squeezed_or_stretched_comes_out_alike(sample: str) -> None:
    formats(sample)
    formats(sample.replace("  ", "\t"))
    stretched = "\n".join(
        line.replace(" ", "   ") if '"' not in line and "//" not in line else line for line in sample.split("\n")
    )
    formats(stretched)


@pytest.mark.parametrize("seed", range(150))
def test_damaged_policies_keep_their_meaning(seed: int) -> None:
    formats(mangled(seed))


@pytest.mark.slow
@pytest.mark.parametrize("block", range(4))
def test_many_damaged_policies_keep_their_meaning(block: int) -> None:
    for seed in range(1000 + block * 500, 1500 + block * 500):
        formats(mangled(seed))


@given(st.integers(0, 10**9), st.data())
@settings(max_examples=60, deadline=None)
def test_white_space_is_all_that_changes(seed: int, data: st.DataObject) -> None:
    text = mangled(seed % 1000)
    at = data.draw(st.integers(0, len(text)))
    formats(
        text[:at] + data.draw(st.sampled_from([" ", "   ", "\n", "\n\n\n", "\t", "\r\n", " // note\n"])) + text[at:]
    )
