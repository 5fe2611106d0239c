"""AuthZEN 1.0 over HTTP: the scenario by which decision points are certified, at all its levels."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from enforcing import enforcer
from sidecar import Client, Reply

from hosts.authzen import MOST
from hosts.guard import Guard
from hosts.mapping import SHIPPED, read
from hosts.mapping_check import check
from hosts.service import Service

RECORDS = "specs/gateway/records.policy"
GIVEN = {
    "gateway.records": {
        "Users": ["alice", "bob"],
        "Writers": ["alice"],
        "Admins": ["bob"],
        "Records": ["record-1", "record-2"],
    }
}
ALICE, BOB = {"type": "user", "id": "alice"}, {"type": "user", "id": "bob"}
FIRST, SECOND = {"type": "record", "id": "record-1"}, {"type": "record", "id": "record-2"}
ADMIN, ARCHIVED = {**BOB, "properties": {"role": "admin"}}, {**SECOND, "properties": {"status": "archived"}}


@cache
def client() -> Client:
    e = enforcer(RECORDS, given=GIVEN)
    assert e.decide("archive", principal="bob", record="record-2").allowed
    mapping = read((SHIPPED / "authzen_records.toml").read_text(encoding="utf-8"), "authzen_records")
    assert e.policies is not None
    check(mapping, e.policies, "authzen_records")
    return Client(Service(e, {"authzen": Guard(e, mapping)}, base="https://pdp.example.com"))


def ask(subject: Any, action: str, resource: Any, **more: Any) -> Reply:
    properties = more.pop("properties", None)
    named = {"name": action} if properties is None else {"name": action, "properties": properties}
    return client().post("/access/v1/evaluation", {"subject": subject, "action": named, "resource": resource, **more})


def evaluations(**body: Any) -> Reply:
    return client().post("/access/v1/evaluations", body)


@pytest.mark.parametrize(
    ("subject", "action", "resource", "properties", "decision"),
    [
        (ALICE, "read", FIRST, None, True),
        (ALICE, "write", FIRST, None, True),
        (BOB, "read", FIRST, None, True),
        (BOB, "write", FIRST, None, False),
        (ALICE, "write", ARCHIVED, None, False),
        (ADMIN, "write", ARCHIVED, None, True),
        (ALICE, "delete", FIRST, {"soft": True}, True),
        (ALICE, "delete", FIRST, {"soft": False}, False),
    ],
)
def test_the_eight_decisions(subject: Any, action: str, resource: Any, properties: Any, decision: bool) -> None:
    for _ in range(3):  # the same, however often it is asked
        found = ask(subject, action, resource, properties=properties, context={"ip": "192.168.1.1"})
        assert (found.status, found.json["decision"]) == (200, decision)
        assert found.headers["content-type"] == "application/json"


def test_a_denial_says_why() -> None:
    context = ask(ALICE, "read", {"type": "record", "id": "record-9"}).json["context"]
    assert (context["code"], context["reason"]) == ("denied.forbid", "there is no such record")
    assert [r["name"] for r in context["rules"]] == ["unknown"]


def test_what_it_does_not_know_is_ignored() -> None:
    more = {"properties": {"department": "Sales"}}
    found = ask(
        {**ALICE, **more}, "read", {**FIRST, **more}, properties={"method": "GET"}, futureField={"nested": True}
    )
    assert found.json["decision"] is True


@pytest.mark.parametrize(
    "body",
    [
        {"action": {"name": "read"}, "resource": FIRST},
        {"subject": ALICE, "resource": FIRST},
        {"subject": ALICE, "action": {"name": "read"}},
        {"subject": {"id": "alice"}, "action": {"name": "read"}, "resource": FIRST},
        {"subject": {"type": "user"}, "action": {"name": "read"}, "resource": FIRST},
        {"subject": ALICE, "action": {}, "resource": FIRST},
        {"subject": ALICE, "action": {"name": "read"}, "resource": {"id": "record-1"}},
        {"subject": ALICE, "action": {"name": "read"}, "resource": {"type": "record"}},
        {"subject": "alice", "action": {"name": "read"}, "resource": FIRST},
        {"subject": ALICE, "action": {"name": 123}, "resource": FIRST},
        {"subject": ALICE, "action": {"name": "read"}, "resource": FIRST, "context": []},
        [],
        None,
    ],
)
def test_what_is_no_evaluation(body: Any) -> None:
    for path in ("evaluation", "evaluations"):
        found = client().post(f"/access/v1/{path}", body)
        assert found.status == 400
        assert found.json["error"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b'{"a": NaN}', "application/json"),
        (b'{"subject": 1, "subject": 2}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'"' + b"x" * (1 << 20) + b'"', "application/json"),
        (b"\xff", "application/json"),
        (b"{}", "text/plain"),
    ],
)
def test_what_is_no_body(content: bytes, kind: str) -> None:
    found = client().send("POST", "/access/v1/evaluation", content=content, headers={"content-type": kind})
    assert found.status == 400


def test_the_name_of_a_request_comes_back() -> None:
    body = {"subject": ALICE, "action": {"name": "read"}, "resource": FIRST}
    for sent in (body, {}):
        found = client().post("/access/v1/evaluation", sent, headers={"X-Request-ID": "bfe9eb29"})
        assert found.headers["x-request-id"] == "bfe9eb29"
    assert "x-request-id" not in client().post("/access/v1/evaluation", body).headers


def test_several_at_once() -> None:
    found = evaluations(subject=BOB, resource=FIRST, evaluations=[{"action": {"name": n}} for n in ("read", "write")])
    assert [d["decision"] for d in found.json["evaluations"]] == [True, False]
    found = evaluations(
        action={"name": "write"}, resource=ARCHIVED, evaluations=[{"subject": s} for s in (ALICE, ADMIN)]
    )
    assert [d["decision"] for d in found.json["evaluations"]] == [False, True]
    active = {**FIRST, "properties": {"status": "active"}}
    found = evaluations(
        subject=ALICE, action={"name": "write"}, evaluations=[{"resource": r} for r in (active, ARCHIVED)]
    )
    assert [d["decision"] for d in found.json["evaluations"]] == [True, False]


def test_an_item_replaces_an_entity_as_a_whole_but_for_what_it_has_to_have() -> None:
    said: Any = {"subject": ALICE, "action": {"name": "write"}}
    items = [{"resource": {"id": "record-1", "properties": {"status": "active"}}}, {"resource": ARCHIVED}]
    found = evaluations(**said, resource={"type": "record"}, evaluations=items)
    assert [d["decision"] for d in found.json["evaluations"]] == [True, False]
    outer = {"type": "record", "id": "record-1", "properties": {"status": "archived"}}
    found = evaluations(
        subject=ALICE, action={"name": "write"}, resource=outer, evaluations=[{"resource": {"id": "record-1"}}]
    )
    assert [d["decision"] for d in found.json["evaluations"]] == [True]


def test_what_is_wrong_with_one_denies_that_one() -> None:
    found = evaluations(subject=ALICE, action={"name": "read"}, evaluations=[{"resource": FIRST}, {}, 7])
    assert found.status == 200
    assert [d["decision"] for d in found.json["evaluations"]] == [True, False, False]
    assert found.json["evaluations"][1]["context"]["error"]["status"] == 400


@pytest.mark.parametrize(
    ("semantic", "decisions"),
    [
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_semantics(semantic: str, decisions: list[bool]) -> None:
    items = [{"resource": {"type": "record", "id": f"record-{n}"}} for n in (1, 9, 2)]
    options = {"evaluations_semantic": semantic}
    found = evaluations(subject=ALICE, action={"name": "read"}, evaluations=items, options=options)
    assert [d["decision"] for d in found.json["evaluations"]] == decisions


def test_without_items_it_is_a_single_one() -> None:
    body = {"subject": ALICE, "action": {"name": "read"}, "resource": FIRST}
    assert evaluations(**body).json["decision"] is True
    assert evaluations(**body, evaluations=[]).json["decision"] is True


@pytest.mark.parametrize(
    "body",
    [
        {"evaluations": {}},
        {"evaluations": [{}] * (MOST + 1)},
        {"evaluations": [{}], "options": {"evaluations_semantic": "all"}},
        {"evaluations": [{}], "options": []},
    ],
)
def test_what_is_wrong_with_all(body: Any) -> None:
    assert client().post("/access/v1/evaluations", body).status == 400


def search(what: str, **body: Any) -> Any:
    found = client().post(f"/access/v1/search/{what}", body)
    assert found.status == 200
    return [r.get("id", r.get("name")) for r in found.json["results"]]


def test_search() -> None:
    kind, record = {"type": "user"}, {"type": "record"}
    assert search("subject", subject=kind, action={"name": "read"}, resource=FIRST) == ["alice", "bob"]
    assert search("subject", subject={**kind, "id": "x"}, action={"name": "write"}, resource=ARCHIVED) == ["bob"]
    assert search("resource", subject=ALICE, action={"name": "read"}, resource=record) == [
        "record-1",
        "record-2",
    ]
    assert search("resource", subject=ADMIN, action={"name": "write"}, resource=record) == ["record-2"]
    assert search("action", subject=ALICE, resource=FIRST, context={"time": "now"}) == ["read", "write"]
    assert search("action", subject=ADMIN, resource=ARCHIVED, page={"limit": 1}) == ["read", "write"]


def test_nothing_is_found() -> None:
    assert search("action", subject={"type": "user", "id": "nonexistent-user"}, resource=FIRST) == []
    assert search("subject", subject={"type": "spaceship"}, action={"name": "read"}, resource=FIRST) == []
    assert search("subject", subject={"type": "user"}, action={"name": "fly"}, resource=FIRST) == []


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("subject", {"subject": {"type": "user"}, "resource": FIRST}),
        ("resource", {"action": {"name": "read"}, "resource": {"type": "record"}}),
        ("action", {"subject": ALICE}),
        ("subject", {"subject": {"type": "user"}, "action": {"name": "read"}, "resource": {"type": "record"}}),
        ("resource", {"subject": {"type": "user"}, "action": {"name": "read"}, "resource": {"type": "record"}}),
    ],
)
def test_what_is_no_search(what: str, body: Any) -> None:
    assert client().post(f"/access/v1/search/{what}", body).status == 400


def test_searching_changes_nothing() -> None:
    service = client().service
    before = service.enforcer.policies
    assert before is not None
    rows = sorted(map(repr, before.running[0].machine.content.rows()))
    search("subject", subject={"type": "user"}, action={"name": "read"}, resource=FIRST)
    assert sorted(map(repr, before.running[0].machine.content.rows())) == rows


def test_where_everything_is() -> None:
    found = client().get("/.well-known/authzen-configuration")
    assert (found.status, found.headers["content-type"]) == (200, "application/json")
    base = "https://pdp.example.com"
    assert found.json["policy_decision_point"] == base
    for name, url in found.json.items():
        assert url == base or (name.endswith("_endpoint") and url.startswith(f"{base}/access/v1/"))
    assert len(found.json) == 6
