"""`policyctl log` as a user meets it."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from log_samples import AT, POLICY, SAMPLE, head_of, lines_of, recorded, tree_of

from policyctl.main import main
from policyctl.paint import Paint
from policyctl.render_log import render_record, time_text
from runtime import heads
from runtime.log_file import to_lines
from runtime.open_store import open_store
from runtime.records import Entry, Event, event_bytes, from_bytes, to_bytes

RECORDS = SAMPLE
HEAD = head_of(RECORDS)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("decisions.log").write_bytes(b"".join(lines_of(RECORDS)))
    Path("kept.head").write_text(heads.to_text(HEAD), encoding="ascii")
    assert main(["log", "keygen", "signer"]) == 0
    return tmp_path


@pytest.fixture
def store(place: Path) -> str:
    made = open_store("store.db")
    with made.hold() as held:
        for r in RECORDS:
            held.append(r)
        held.put("tree", "frontier", tree_of(RECORDS).to_bytes())
        held.put("head", "latest", heads.to_text(head_of(RECORDS[:3])).encode())
    made.close()
    return "store.db"


def written(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["log", *arguments]) == code
    found = capsys.readouterr()
    return found.out if code == 0 else found.out + found.err


def put(name: str, records: list[bytes]) -> str:
    Path(name).write_bytes(b"".join(lines_of(records)))
    return name


# ---- verify


def test_a_whole_log_is_said_to_be_whole(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = written(capsys, "verify", "decisions.log")
    assert shown.startswith(f"✓ decisions.log: {len(RECORDS)} records, root {HEAD.root.hex()[:16]}\n")
    assert "nothing is signed" in shown
    assert written(capsys, "verify", "decisions.log", "--head", "kept.head").count("\n") == 1


def test_tampering_is_an_exit_code_and_a_place(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = Path("decisions.log").read_bytes()
    Path("decisions.log").write_bytes(data.replace(b"forbidden word", b"forgotten word"))
    shown = written(capsys, "verify", "decisions.log", code=1)
    assert "✗ decisions.log" in shown
    assert "record 12: its bytes are not those that its hash was computed of" in shown


def test_a_log_written_anew_does_not_fit_the_kept_head(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forged = put("forged.log", [*RECORDS[:3], *recorded()[3:5]])
    assert main(["log", "verify", forged]) == 0
    shown = written(capsys, "verify", forged, "--head", "kept.head", code=1)
    assert f"the head that was kept covers {len(RECORDS)} records, and there are 5" in shown


def test_many_faults_are_counted(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("noise.log").write_text("noise\n" * 100, encoding="ascii")
    shown = written(capsys, "verify", "noise.log", code=1)
    assert "and 81 more" in shown
    assert shown.count("no line of a log") == 20


def test_an_empty_file_is_no_log(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.log").write_bytes(b"")
    assert "does not end with a head" in written(capsys, "verify", "empty.log", code=1)


def test_signatures_are_checked_with_the_trusted_key(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "export", "decisions.log", "signed.log", "--sign", "signer"]) == 0
    assert ", signed with `" in written(capsys, "verify", "signed.log", "--key", "signer.pub")
    assert "no trusted key was given" in written(capsys, "verify", "signed.log")
    main(["log", "keygen", "other"])
    assert "another key" in written(capsys, "verify", "signed.log", "--key", "other.pub", code=1)
    assert "unsigned" in written(capsys, "verify", "decisions.log", "--key", "signer.pub", code=1)
    assert "no public key" in written(capsys, "verify", "decisions.log", "--key", "signer", code=1)


@pytest.mark.parametrize("command", ["verify", "show", "head"])
def test_a_log_that_is_not_there_is_a_mistake_of_usage(
    place: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert "there is no file `nowhere.log`" in written(capsys, command, "nowhere.log", code=2)
    assert "there is no file" in written(capsys, command, ".", code=2)
    assert not Path("nowhere.log").exists()


def test_what_is_no_head_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("{}", "ä", heads.to_text(replace(HEAD, size=-1))):
        Path("bad.head").write_text(text, encoding="utf-8")
        assert "is no head" in written(capsys, "verify", "decisions.log", "--head", "bad.head", code=1)


# ---- stores


def test_a_store_is_a_log(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = written(capsys, "verify", store)
    assert f"✓ store.db: {len(RECORDS)} records" in shown
    assert f"the head covers 3 records, and {len(RECORDS) - 3} are later" in shown
    assert written(capsys, "show", store) == written(capsys, "show", "decisions.log")
    assert main(["log", "verify", store, "--head", "kept.head"]) == 0


def test_a_store_that_was_tampered_with_is_reported(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    opened = open_store(store)
    with opened.hold() as held:
        held.append(event_bytes(len(RECORDS), AT, "nothing"))
    opened.close()
    assert "the tree that was noted is not that of the records" in written(capsys, "verify", store, code=1)
    for arguments in (["head", store], ["export", store, "new.log"], ["prove", store, "1"], ["show", store]):
        assert main(["log", *arguments]) == 1
    assert not Path("new.log").exists()


def test_what_is_no_store_is_said(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.db").write_bytes(b"SQLite format 3\x00" + b"rubbish" * 40)
    assert "bad.db" in written(capsys, "verify", "bad.db", code=1)
    assert "no kind of store" in written(capsys, "verify", "mysql://somewhere/db", code=1)


def test_exports_are_whole_and_say_the_same(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "export", store, "out/copy.log"]) == 0
    assert main(["log", "verify", "out/copy.log", "--head", "kept.head"]) == 0
    assert written(capsys, "show", "out/copy.log") == written(capsys, "show", store)
    # Nothing new is said, so the head is that of before.
    assert main(["log", "export", "out/copy.log", "again.log"]) == 0
    assert Path("again.log").read_bytes() == Path("out/copy.log").read_bytes()


# ---- show


def test_decisions_are_shown_on_one_line_each(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(capsys, "show", "decisions.log").splitlines()
    assert len(lines) == len(RECORDS)
    assert lines[0].split()[3:5] == ["event", "start(cells=(0),"]
    assert lines[3] == (
        "     3  2023-11-14 22:13:20.003Z  deny     send(approved_shouting=false, asked_shouting=0, principal=s1, "
        "text=[key], to=carol)  denied.forbid · it hides its aim · by phishing".replace("[key]", '"[key]"')
    )


def test_what_is_shown_can_be_chosen(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def chosen(*options: str) -> list[int]:
        return [int(line.split()[0]) for line in written(capsys, "show", "decisions.log", *options).splitlines()]

    assert chosen() == list(range(len(RECORDS)))
    assert chosen("--last", "2") == [len(RECORDS) - 2, len(RECORDS) - 1]
    assert chosen("--denied") == [3, 6, 7, 11, 12, 13, 14]
    assert chosen("--action", "strike") == [8, 9, 10, 14]
    assert chosen("--action", "strike", "--denied", "--last", "1") == [14]
    assert chosen("--action", "nothing") == []


def test_records_are_shown_as_they_are(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = written(capsys, "show", "decisions.log", "--format", "json", "--last", "3")
    assert shown.encode("ascii").splitlines() == RECORDS[-3:]


def test_a_damaged_log_is_shown_as_far_as_it_can_be_read(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = lines_of(RECORDS)
    Path("decisions.log").write_bytes(b"".join([*lines[:2], b"rubbish\n", *lines[3:]]))
    shown = written(capsys, "show", "decisions.log", code=1)
    assert len(shown.splitlines()) == len(RECORDS)
    assert "not as it was written" in shown


ENTRY = Entry(1, 0, "s", "p", "send", (("text", "x"),), "deny", "denied.default")


def test_nothing_that_was_asked_for_reaches_the_terminal_raw() -> None:
    evil = "\x1b[2J\r\n\u202e"
    entry = replace(
        ENTRY,
        action=evil,
        inputs=((evil, evil),),
        reason=evil,
        rules=(evil,),
        obligations=((evil, (evil,)),),
        redacted=((evil, None),),
        mode="shadow",
    )
    shown = [render_record(entry), render_record(Event(0, 0, evil, {evil: evil, "list": [evil], "none": None}))]
    for line in shown:
        assert line.isprintable(), line
    assert "not enforced: shadow" in shown[0]
    assert "cannot be replayed" in shown[0]
    assert "\x1b" not in render_record(replace(ENTRY, inputs=(("text", "a" * 39 + "\x1b"),)))


def test_long_texts_are_cut() -> None:
    assert render_record(replace(ENTRY, inputs=(("text", "a" * 500),))).count("a") < 60


def test_effects_are_coloured() -> None:
    assert "\x1b[1;31mdeny" in render_record(ENTRY, Paint(colour=True))
    assert "\x1b[32mallow" in render_record(replace(ENTRY, effect="allow"), Paint(colour=True))


def test_times_are_those_of_a_calendar_or_themselves() -> None:
    assert time_text(0) == "1970-01-01 00:00:00.000Z"
    assert time_text(1_700_000_000_123) == "2023-11-14 22:13:20.123Z"
    assert time_text(10**18) == str(10**18)
    assert time_text(-1) == "1969-12-31 23:59:59.999Z"


# ---- replay


def test_a_log_is_replayed(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("gateway.policy").write_text(POLICY, encoding="utf-8")
    for where in (store, "decisions.log"):
        shown = written(capsys, "replay", where, "gateway.policy")
        assert shown == f"{len(RECORDS) - 1} decisions and what they changed are as recorded\n"


def test_a_decision_that_the_policy_did_not_make_is_found(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("gateway.policy").write_text(POLICY, encoding="utf-8")
    found = from_bytes(RECORDS[3])
    assert isinstance(found, Entry)
    bent = to_bytes(replace(found, effect="allow", code="allowed"))
    put("bent.log", [*RECORDS[:3], bent, *RECORDS[4:]])
    shown = written(capsys, "replay", "bent.log", "gateway.policy", code=3)
    assert re.match(r"record 3: at .* send\(.*\): recorded allow.*, now deny.* \(gateway\.policy:\d+\)\n", shown)
    assert "differs from the record" in shown


def test_another_policy_replays_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("gateway.policy").write_text(POLICY.replace("to 3 per", "to 4 per"), encoding="utf-8")
    shown = written(capsys, "replay", "decisions.log", "gateway.policy", code=1)
    assert "decided by another policy" in shown
    assert "no decision here was made by this policy, `gateway`" in shown
    Path("gateway.policy").write_text("module", encoding="utf-8")
    assert main(["log", "replay", "decisions.log", "gateway.policy"]) == 1


def test_what_was_tampered_with_is_not_replayed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("gateway.policy").write_text(POLICY, encoding="utf-8")
    Path("cut.log").write_bytes(b"".join(lines_of(RECORDS)[:-1]))
    assert "cut off" in written(capsys, "replay", "cut.log", "gateway.policy", code=1)
    put("odd.log", [event_bytes(0, AT, "start", {"system": 1})])
    assert "record 0" in written(capsys, "replay", "odd.log", "gateway.policy", code=1)


# ---- proofs, heads and keys


def test_a_record_is_proved_to_who_has_the_head_alone(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "prove", "decisions.log", "4", "-o", "proof.json"]) == 0
    Path("decisions.log").unlink()
    shown = written(capsys, "check", "proof.json", "--head", "kept.head")
    assert f"✓ proof.json: record 4 of {len(RECORDS)}" in shown
    assert "approve" in shown
    data = json.loads(Path("proof.json").read_text(encoding="ascii"))
    assert data["record"] == json.loads(RECORDS[4])
    data["record"]["decision"]["effect"] = "allow"
    Path("proof.json").write_text(json.dumps(data), encoding="ascii")
    assert "does not lead to the root" in written(capsys, "check", "proof.json", "--head", "kept.head", code=1)
    Path("proof.json").write_text("{}", encoding="ascii")
    assert "is no proof" in written(capsys, "check", "proof.json", "--head", "kept.head", code=1)


def test_a_record_is_proved_against_an_earlier_head(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    early = heads.sign(head_of(RECORDS[:5]), heads.read_private(Path("signer").read_text(encoding="ascii")))
    Path("early.head").write_text(heads.to_text(early), encoding="ascii")
    Path("proof.json").write_text(
        written(capsys, "prove", "decisions.log", "2", "--head", "early.head"), encoding="ascii"
    )
    checked = ["check", "proof.json", "--head", "early.head", "--key", "signer.pub"]
    assert "record 2 of 5" in written(capsys, *checked)
    assert "head of 5" in written(capsys, "check", "proof.json", "--head", "kept.head", code=1)
    main(["log", "keygen", "other"])
    assert "another key" in written(capsys, *checked[:-1], "other.pub", code=1)
    assert "no record 5 among the first 5" in written(
        capsys, "prove", "decisions.log", "5", "--head", "early.head", code=2
    )


def test_nothing_is_proved_of_a_log_that_is_not_what_the_head_says(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = put("forged.log", [*RECORDS[:-1], event_bytes(len(RECORDS) - 1, AT, "nothing")])
    shown = written(capsys, "prove", forged, "1", "--head", "kept.head", code=1)
    assert "is not what the head says" in shown


def test_there_is_no_proof_of_what_is_not_there(place: Path) -> None:
    assert main(["log", "prove", "decisions.log", str(len(RECORDS))]) == 2
    assert main(["log", "prove", "decisions.log", "-1"]) == 2
    assert main(["log", "prove", "decisions.log", "x"]) == 2


def test_heads_are_printed_and_signed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert heads.from_text(written(capsys, "head", "decisions.log")) == HEAD
    assert main(["log", "head", "decisions.log", "--sign", "signer", "-o", "signed.head"]) == 0
    head = heads.from_text(Path("signed.head").read_text(encoding="ascii"))
    assert (head.size, head.root) == (HEAD.size, HEAD.root)
    assert head.at > AT
    public = heads.read_public(Path("signer.pub").read_text(encoding="ascii"))
    assert heads.signature_fault(head, public) is None
    assert "private key" in written(capsys, "head", "decisions.log", "--sign", "signer.pub", code=1)


def test_what_is_damaged_gets_no_head(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = lines_of(RECORDS)
    Path("decisions.log").write_bytes(b"".join(lines[:-2] + lines[-1:]))
    assert "and there are" in written(capsys, "head", "decisions.log", "--sign", "signer", code=1)
    assert main(["log", "export", "decisions.log", "new.log"]) == 1
    assert not Path("new.log").exists()


def test_keys_are_made_once_and_for_their_owner(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stat.S_IMODE(Path("signer").stat().st_mode) == 0o600
    before = Path("signer").read_text(encoding="ascii")
    assert "not overwritten" in written(capsys, "keygen", "signer", code=2)
    assert Path("signer").read_text(encoding="ascii") == before
    assert main(["log", "keygen", "another"]) == 0
    assert Path("another").read_text(encoding="ascii") != before


def test_the_sample_is_what_the_tests_take_it_for(place: Path) -> None:
    assert Path("decisions.log").read_bytes() == b"".join(to_lines(RECORDS, HEAD))
    assert [getattr(from_bytes(r), "action", "start") for r in RECORDS][11:14] == ["send", "send", "sing"]
