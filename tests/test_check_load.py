"""Files and modules: what imports find, what they bring in, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policydsl.diagnostics import Report
from policydsl.load import load

TYPES = """
module mvg.types
entity Bot
param LIMIT: Int[1..9] = 3
state seats: Bot -> Int = 0
function full(b: Bot): Bool = seats[b] >= LIMIT
action leave(principal: Bot) { require seats[principal] > 0  seats[principal] -= 1 }
assume nobody_else on leave because "away": seats[principal] < 100
invariant never_negative: forall b: Bot . seats[b] >= 0 or full(b)
test "leaving" { leave(a) expect deny }
"""
BOOKING = """
module mvg.booking
import mvg.types
action book(principal: Bot) { require not full(principal)  seats[principal] += 1 }
invariant few: forall b: Bot . seats[b] <= LIMIT
"""


def files(**texts: str) -> Callable[[str], str]:
    known = {name.replace("__", "/") + ".policy": text for name, text in texts.items()}

    def read(path: str) -> str:
        if path in known:
            return known[path]
        raise FileNotFoundError(path)

    return read


def test_an_import_brings_in_declarations_and_assumptions() -> None:
    report = Report()
    (found,) = load(["specs/booking.policy"], files(specs__booking=BOOKING, specs__types=TYPES), report)
    assert report.found == []
    assert (found.path, found.system.name) == ("specs/booking.policy", "mvg.booking")
    assert [a.name for a in found.system.actions] == ["leave", "book"]
    assert [p.name for p in found.system.params] == ["LIMIT"]
    assert [p.name for p in found.system.properties] == ["few"]
    assert found.tests == ()
    assert [g.reason for g in found.system.action("leave").guards] == ["away", "requires seats[principal] > 0"]


@pytest.mark.parametrize("place", ["specs/mvg/types.policy", "specs/mvg/deep/types.policy"])
def test_an_import_is_found_beside_the_file_or_below_the_root_of_its_module(place: str) -> None:
    booking = BOOKING if place == "specs/mvg/types.policy" else BOOKING.replace("mvg.booking", "mvg.deep.booking")
    here = "specs/mvg/booking.policy" if place == "specs/mvg/types.policy" else "specs/mvg/deep/booking.policy"
    texts = {here.removesuffix(".policy").replace("/", "__"): booking, "specs__mvg__types": TYPES}
    report = Report()
    assert len(load([here], files(**texts), report)) == 1
    assert report.found == []


def test_each_file_is_read_once() -> None:
    read: list[str] = []
    texts = files(a="import c\n", b="import a\nimport c\n", c=TYPES)

    def noting(path: str) -> str:
        read.append(path)
        return texts(path)

    report = Report()
    assert len(load(["a.policy", "b.policy", "c.policy"], noting, report)) == 3
    assert read == ["a.policy", "c.policy", "b.policy"]
    assert report.found == []


def test_a_module_that_is_not_there() -> None:
    report = Report()
    assert load(["specs/booking.policy"], files(specs__booking=BOOKING), report) == []
    (found,) = report.found
    assert (found.code, found.text) == ("E601", "there is no module `mvg.types`")
    assert found.help == "it should be `specs/types.policy` or `mvg/types.policy`"


def test_imports_in_a_circle() -> None:
    report = Report()
    assert load(["a.policy"], files(a="import b\n", b="import c\n", c="import a\n"), report) == []
    (found,) = report.found
    assert (found.code, found.span.path) == ("E602", "c.policy")
    assert found.text.endswith("a -> b -> c -> a")


def test_an_error_in_an_import_is_reported_once_and_stops_both() -> None:
    report = Report()
    broken = "state n: Nit = 0\n"
    assert load(["a.policy", "b.policy", "c.policy"], files(a="import c\n", b="import c\n", c=broken), report) == []
    assert [(d.code, d.span.path) for d in report.found] == [("E102", "c.policy")]


def test_a_name_that_two_modules_declare() -> None:
    report = Report()
    assert load(["a.policy"], files(a="import c\nentity Bot\n", c="entity Bot\n"), report) == []
    (found,) = report.found
    assert (found.code, found.span.path, found.labels[0].span.path) == ("E104", "a.policy", "c.policy")


def test_a_library_is_not_blamed_for_what_it_does_not_use() -> None:
    report = Report()
    library = "entity Bot\nenum Stage { Open, Shut }\nconst LIMIT = 3\nfunction f(b: Bot): Int = LIMIT\n"
    assert len(load(["lib.policy"], files(lib=library), report)) == 1
    assert len(load(["a.policy"], files(a="import lib\naction go() { }\n", lib=library), report)) == 1
    assert report.found == []


def test_a_file_that_cannot_be_read_is_the_callers_matter() -> None:
    with pytest.raises(FileNotFoundError):
        load(["nowhere.policy"], files(), Report())
