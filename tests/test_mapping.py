"""Calls of hosts to requests: what a mapping may say, what it makes of a call, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest
from enforcing import content, entries, memory, outbox
from hypothesis import given
from hypothesis import strategies as st

from hosts.call import Answer, Call
from hosts.convert import CONVERSIONS, UnfitError, as_path, times
from hosts.guard import Guard
from hosts.mapping import MappingError, read
from hosts.mapping_check import check
from hosts.paths import AbsentError, found, replaced, steps
from hosts.requests import MOST
from runtime.enforcer import Enforcer

MAILER = """
host = "mailer"

[[call]]
of = "mail"
action = "send"
each = "$arguments.to"
inputs = { principal = "$agent", to = "$each", kind = "Mail", text = "$arguments.text" }

[[call]]
of = ["chat", "chat_*"]
where = { "$arguments.mode" = ["loud", "quiet"] }
action = "send"
inputs.principal = "$agent"
inputs.to = { at = "$arguments.to", as = "lower" }
inputs.kind = "Chat"
inputs.text = { at = "$arguments.text", default = "" }

[[call]]
of = "think"
unasked = "nothing leaves the agent"

[[result]]
of = "mail"
action = "look"
inputs.principal = "$result.from"
"""


def guard(text: str = MAILER, e: Enforcer | None = None) -> Guard:
    e = e or outbox()
    mapping = read(text, "m.toml")
    assert e.policies is not None
    check(mapping, e.policies, "m.toml")
    return Guard(e, mapping)


def mail(*to: str, text: str = "hello", **other: Any) -> Call:
    return Call("mail", {"to": list(to), "text": text}, agent="ann", **other)


def faults(text: str) -> list[tuple[str, str]]:
    with pytest.raises(MappingError) as caught:
        guard(text)
    assert str(caught.value).startswith("m.toml: ")
    return list(caught.value.faults)


def entry(**fields: str) -> str:
    return "[[call]]\n" + "".join(f"{name} = {value}\n" for name, value in fields.items())


def asks(action: str, inputs: str) -> str:
    return entry(of='"x"', action=f'"{action}"', inputs=f"{{ {inputs} }}")


# What a mapping may say


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("[[call", "", "this is no TOML"),
        ("calls = []", "calls", "there is no such field"),
        (entry(of='"x"'), "[[call]] 1", "either an `action`, or says why"),
        (entry(of='"x"', action='"send"', unasked='"y"'), "[[call]] 1", "either an `action`, or says why"),
        (entry(of="[]", unasked='"y"'), "[[call]] 1, of", "at least 1"),
        (entry(of='"x"', unasked='"y"', each='"$result"'), "[[call]] 1", "`unasked` has no inputs"),
        (entry(of='"x"', unasked='"y"', where='{ "to" = 1 }'), "[[call]] 1", "`to` is no path"),
        (entry(of='"x"', unasked='"y"', where='{ "$to" = 1 }'), "[[call]] 1", "begins with none of"),
        (
            asks("look", 'principal = "$agent..x"'),
            "[[call]] 1, inputs.principal",
            "no path",
        ),
        (
            asks("look", 'principal = { as = "text" }'),
            "inputs.principal",
            "Field required",
        ),
        (
            asks("look", 'principal = { at = "$agent", as = "big" }'),
            "inputs.principal",
            "'json'",
        ),
        (asks("look", "principal = 1.5"), "inputs.principal", "valid"),
        (
            entry(of='"x"', action='"look"', each='{ in = "$result", find = "(" }'),
            "[[call]] 1, each",
            "no regular expression",
        ),
        (
            asks("look", 'principal = { at = "$id", as = "text", times = 2 }'),
            "inputs",
            "exclude",
        ),
        (
            asks("look", 'principal = { at = "$id", within = "$id" }'),
            "inputs",
            "goes with",
        ),
        # Beside the policies
        (asks("sent", ""), "[[call]] 1", "did you mean `send`?"),
        (asks("look", ""), "[[call]] 1", "wants `principal`"),
        (
            asks("look", 'principal = "a", principle = "b"'),
            "[[call]] 1",
            "has no input `principle`",
        ),
        (
            asks("reserve", 'principal = "a", most = "b"'),
            "[[call]] 1",
            "a whole number, and not 'b'",
        ),
        (
            asks("look", 'principal = { at = "$id", times = 2 }'),
            "[[call]] 1",
            "given a number",
        ),
        (
            asks("reserve", 'principal = "a", most = { at = "$id", as = "lower" }'),
            "1",
            "given a text",
        ),
        (
            asks("look", 'principal = { at = "$id", optional = true }'),
            "[[call]] 1",
            "is no option",
        ),
        (asks("look", 'principal = "$result"'), "[[call]] 1", "there is no result yet"),
        (asks("look", 'principal = "$each"'), "[[call]] 1", "does not say `each`"),
        (
            MAILER + entry(of='["mail", "y"]', unasked='"why not"'),
            "[[call]]",
            "`mail` is asked about, and",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, place: str, words: str) -> None:
    found = faults(text)
    assert any(place in at and words in what for at, what in found), found


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = entry(of='"x"') + entry(of='"y"', action='"look"', more="1") + entry(of='"z"', unasked="1")
    assert [at for at, _ in faults(text)] == ["[[call]] 1", "[[call]] 2, more", "[[call]] 3, unasked"]


# What becomes of a call


def test_a_call_is_allowed_or_denied_as_the_policy_says() -> None:
    g = guard()
    assert g.before(mail("bob")) == Answer("allow", "allowed", decisions=g.before(mail("bob")).decisions)
    denied = g.before(mail("bob", text="bit.ly/x"))
    assert (denied.effect, denied.code, denied.reason) == ("deny", "denied.forbid", "a hidden link")
    assert [d.rules[0].name for d in denied.decisions] == ["phishing"]


def test_what_no_entry_is_about_is_denied() -> None:
    g = guard()
    assert (g.before(Call("rm")).effect, g.before(Call("rm")).code) == ("deny", "mapping.unmapped")
    assert g.before(Call("Mail", mail("bob").arguments, agent="ann")).code == "mapping.unmapped"
    chat = Call("chat_room", {"to": "Bob ", "text": "hi", "mode": "loud"}, agent="ann")
    assert g.before(chat).allowed
    for mode in ("shout", True, None, ["loud"]):
        other = Call("chat_room", {**chat.arguments, "mode": mode}, agent="ann")
        assert g.before(other).code == "mapping.unmapped"


def test_what_need_not_be_asked_is_allowed() -> None:
    assert guard().before(Call("think")) == Answer("allow", "mapping.unasked")


def test_what_is_missing_or_of_another_kind_is_denied() -> None:
    g = guard()
    assert g.before(Call("mail", {"to": ["bob"]}, agent="ann")).code == "mapping.missing"
    assert g.before(Call("mail", {"to": ["bob"], "text": "hi"})).reason.endswith("the host does not say the agent")
    assert g.before(Call("mail", {"to": ["bob"], "text": 7}, agent="ann")).code == "request.ill_typed"
    assert g.before(Call("mail", {"to": [["bob"]], "text": "hi"}, agent="ann")).code == "request.ill_typed"
    assert g.before(Call("chat", {"to": 7, "text": "hi", "mode": "loud"}, agent="ann")).code == "mapping.unfit"


def test_a_request_for_each_of_many() -> None:
    e = outbox()
    g = guard(e=e)
    assert g.before(mail("bob", "cyd")).allowed
    assert content(e, "sent") == {"ann": 2}
    assert g.before(mail("bob", "cyd")).code == "denied.limit"
    assert content(e, "sent") == {"ann": 2}
    assert g.before(mail(*(f"b{i}" for i in range(MOST + 1)))).code == "mapping.too_many"


def test_nobody_to_send_to_is_not_a_call_that_nothing_was_said_about() -> None:
    # There is nothing to ask, and so nothing that the policy has allowed.
    assert guard().before(mail()).code == "mapping.nothing"


def test_all_entries_about_a_call_are_asked() -> None:
    extra = MAILER + entry(of='"ma*"', action='"look"', inputs='{ principal = "$user" }')
    assert guard(extra).before(mail("bob")).code == "mapping.missing"
    assert len(guard(extra).before(mail("bob", user="zoe")).decisions) == 2


def test_what_is_redacted_takes_the_place_of_an_argument() -> None:
    text = MAILER.replace('each = "$arguments.to"\n', "").replace('"$each"', '"$arguments.to.0"')
    call = Call("mail", {"to": ["bob"], "text": "use sk-abcd", "more": {"x": 1}}, agent="ann")
    found = guard(text).before(call)
    assert found.arguments == {"to": ["bob"], "text": "use [key]", "more": {"x": 1}}
    assert call.arguments["text"] == "use sk-abcd"
    for as_ in ("lower", "text"):
        other = text.replace('text = "$arguments.text" }', f'text = {{ at = "$arguments.text", as = "{as_}" }} }}')
        answer = guard(other).before(call)
        assert (answer.effect, answer.code) == ("deny", "mapping.rewrite"), as_


def test_who_is_to_be_asked() -> None:
    e = outbox(memory())
    g = guard(e=e)
    first = g.before(mail("bob", "stranger", id="7", session="s"))
    assert (first.effect, first.code) == ("ask", "approval.required")
    assert [q.ticket for q in e.questions()] == [first.ticket]
    assert g.before(mail("bob", "stranger", id="7", session="s")).ticket == first.ticket
    e.answer(first.ticket, True, "hal")
    assert g.before(mail("bob", "stranger", id="7", session="s")).allowed
    # Denied comes before asking: nobody is asked in vain.
    assert g.before(mail("stranger", "bob", text="bit.ly/")).effect == "deny"
    assert e.questions() == []


def test_the_same_call_is_decided_once() -> None:
    e = outbox()
    g = guard(e=e)
    assert all(g.before(mail("bob", id="1", session="s")).allowed for _ in range(9))
    assert content(e, "sent") == {"ann": 1}
    assert g.before(mail("cyd", id="1", session="s")).code == "request.key_reused"
    assert g.before(mail("cyd", id="1", session="t")).allowed
    # Parts of a name cannot be shifted into each other.
    assert g.before(mail("cyd", id="1|1:x", session="s")).allowed
    assert not g.before(mail("cyd", id="", session="s")).allowed  # the fourth within a minute


def test_what_came_back_is_told_to_the_policy() -> None:
    store = memory()
    g = guard(e=outbox(store))
    assert g.after(mail("bob", result={"from": "ann"})).allowed
    assert [(r.action, r.effect) for r in entries(store)] == [("look", "allow")]
    assert g.after(mail("bob", result="nobody")).code == "mapping.missing"
    assert g.after(Call("think", result="x")) == Answer("allow", "mapping.unasked")


def test_whatever_goes_wrong_is_a_denial() -> None:
    class Odd(dict[str, Any]):
        def __contains__(self, _name: object) -> bool:
            raise RuntimeError("odd")

    answer = guard().before(Call("mail", Odd(), agent="ann"))
    assert (answer.effect, answer.code, answer.reason) == ("deny", "mapping.fault", "RuntimeError: odd")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["to", "text", "mode", "x"]), inner),
    max_leaves=8,
)


@given(st.sampled_from(["mail", "chat", "chat_x", "think", "rm", ""]), JSON, JSON, st.text(max_size=3))
def test_no_call_raises(tool: str, arguments: Any, result: Any, agent: str) -> None:
    g = guard()
    call = Call(tool, arguments, agent=agent, result=result)
    for answer in (g.before(call), g.after(call)):
        assert answer.effect in ("allow", "deny", "ask")
    assert tool in ("mail", "chat", "chat_x", "think") or g.before(call).code == "mapping.unmapped"


# Where things stand, and what they are read as


def test_paths() -> None:
    call = Call("t", {"a": [{"b": 1}]}, session="s")
    assert found(call, steps("$arguments.a.0.b")) == 1
    for path in ("$arguments.a.1", "$arguments.a.b", "$arguments.a.-1", "$agent", "$result.x"):
        with pytest.raises(AbsentError):
            found(call, steps(path))
    assert replaced({"a": [1, {"b": 2}], "c": 3}, ("a", "1", "b"), 9) == {"a": [1, {"b": 9}], "c": 3}


@pytest.mark.parametrize(
    ("how", "value", "expected"),
    [
        ("text", "a", "a"),
        ("text", {"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        ("json", "a", '"a"'),
        ("lower", " Bob@Example.COM ", "bob@example.com"),
        ("lower", "STRASSE", "strasse"),
        ("host", "https://User.Example.COM:443/x?y", "user.example.com"),
        ("host", "www.example.com/path", "www.example.com"),
        ("host", "http://bücher.example./", "xn--bcher-kva.example"),
        ("host", "http://[::1]/", "::1"),
        ("length", "äb", 2),
        ("length", [1, 2, 3], 3),
        ("time", "1970-01-01T00:00:01.5+00:00", 1500),
        ("time", "1970-01-01T01:00:00+01:00", 0),
    ],
)
def test_conversions(how: str, value: object, expected: object) -> None:
    got = CONVERSIONS[how](value)
    assert (got, got.__class__) == (expected, expected.__class__)


@pytest.mark.parametrize(
    ("how", "value"),
    [
        ("lower", 1),
        ("host", "https://user:pw@example.com/"),
        ("host", "https://good.example\\@evil.example/"),
        ("host", "https://evil.exa\nmple/"),
        ("host", "https://%65vil.example/"),
        ("host", "http://[::1/"),
        ("host", ""),
        ("host", None),
        ("length", 5),
        ("time", "1970-01-01T00:00:00"),
        ("time", "yesterday"),
        ("time", "1700000000"),
        ("time", "-1700000000"),
        ("time", 1700000000),
        ("path", "a\0b"),
        ("path", "~/x"),
        ("path", "a/b"),
    ],
)
def test_what_is_not_understood_is_refused(how: str, value: object) -> None:
    with pytest.raises(UnfitError):
        CONVERSIONS[how](value)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b/../c", "/a/c"),
        ("/../../etc/passwd", "/etc/passwd"),
        ("//etc//passwd/.", "/etc/passwd"),
        ("x/../../y", "/y"),
        (".", "/desk"),
        ("/", "/"),
    ],
)
def test_a_path_has_one_spelling(path: str, expected: str) -> None:
    assert as_path(path, "/desk") == expected
    assert as_path(expected, "/other") == expected


@pytest.mark.parametrize(
    ("value", "factor", "expected"),
    [(0.1, 100, 10), (12.5, 100, 1250), ("19.99", 100, 1999), (-3, 1, -3), (1e3, 1, 1000), (0.29, 100, 29)],
)
def test_numbers_become_whole(value: object, factor: int, expected: int) -> None:
    assert times(value, factor) == expected


@pytest.mark.parametrize("value", [0.001, "x", True, None, float("nan"), float("inf"), "1e99", [1]])
def test_numbers_that_are_not_whole_are_refused(value: object) -> None:
    with pytest.raises(UnfitError):
        times(value, 100)
