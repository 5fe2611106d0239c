"""The commands that simulate: what they print and write, what they exit with, and how they refuse."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from fake_engine import BEGIN

from policyctl.cli import run
from policyctl.cli_simulate import missing
from policyctl.exit_codes import ERRORS, OK, REFUTED, UNKNOWN, USAGE
from simulator import record
from simulator.scenario import load

ROOT = Path(__file__).parent.parent
SMALL = ["--set", "bots=20", "--set", "attack_begins=20", "--ticks", "60"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLICYCTL_ENGINE", BEGIN)
    return tmp_path


def simulate(*more: str) -> int:
    return run(["simulate", "normal_operation", *SMALL, *more])


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(list(arguments)) == USAGE
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    return shown.err


def test_a_report_one_wants_to_read(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("--no-report") == OK
    shown = capsys.readouterr().out
    assert "An ordinary day" in shown
    assert "20 bots, 0.1 proposals per tick in all of the ecosystem" in shown
    assert re.search(r"resilience +95 %", shown)
    assert re.search(r"consensus violations +0\n", shown)
    assert re.search(r"service kept +[▁-█]{60}", shown)
    assert re.search(r"tick +24  threat hunter: bot 3 <spams>", shown)
    assert "hindsight" not in shown
    assert shown.endswith("record in runs/normal_operation-1\n")
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_the_settings_arrive(place: Path) -> None:
    assert simulate("--seed", "7", "--set", "malicious=0.33", "--set", "QUORUM=400", "--no-report", "--out", "a") == OK
    found = record.read(place / "a").header
    assert (found.seed, found.scenario.malicious, found.scenario.parameters["QUORUM"]) == (7, 0.33, 400)
    assert (found.scenario.ticks, found.done) == (60, 60)


def test_runs_do_not_overwrite_each_other(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("normal_operation-1", "normal_operation-1-2"):
        assert simulate("--no-report") == OK
        assert record.is_record(place / "runs" / name)
    assert "already" in refused(capsys, "simulate", "normal_operation", *SMALL, "--out", "runs/normal_operation-1")


def test_the_page_is_one_file_and_safe(place: Path) -> None:
    (place / "mine.toml").write_text(
        'title = "<script>alert(1)</script>"\ndescription = "a & b"\nbots = 20\nticks = 60\nattack_begins = 20\n'
    )
    assert run(["simulate", "mine.toml"]) == OK
    folder = place / "runs" / "mine-1"
    text = (folder / "report.html").read_text()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script" not in text
    assert "bot 3 &lt;spams&gt;" in text
    assert not re.search(r"""(src|href)=["'](?!#)""", text)
    assert "a &amp; b" in text
    assert text.count("<svg") == 10
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', text)) <= set(ids)
    for picture in (folder / "plots").glob("*.svg"):
        ET.parse(picture)
    assert (folder / "plots" / "all.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_is_the_same_for_the_same_run(place: Path) -> None:
    for name in ("a", "b"):
        assert simulate("--out", name) == OK
    assert (place / "a" / "report.html").read_text() == (place / "b" / "report.html").read_text()


def test_resume_fork_and_replay(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("--no-report", "--out", "a", "--checkpoint-every", "20") == OK
    assert sorted(p.name for p in (place / "a" / "checkpoints").iterdir()) == ["tick-20", "tick-40", "tick-60"]
    assert run(["simulate", "normal_operation", "--resume", "a", "--ticks", "80", "--no-report"]) == OK
    assert record.read_header(place / "a").done == 80
    fork = ["simulate", "--resume", "a", "--fork-at", "50", "--no-report"]
    assert run([*fork, "--set", "QUORUM=400"]) == OK
    assert run([*fork, "--out", "same"]) == OK
    finals = [record.read_header(place / n).final for n in ("a", "a-fork-50", "same")]
    assert finals[0] == finals[2] != finals[1]
    for name in ("a", "a-fork-50"):
        assert run(["replay", name]) == OK
    assert "the same state" in capsys.readouterr().out


def test_replay_says_when_it_is_another_state(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("--no-report", "--out", "a") == OK
    data = json.loads((place / "a" / "run.json").read_text())
    data["final"] = "0" * 32
    (place / "a" / "run.json").write_text(json.dumps(data))
    assert run(["replay", "a"]) == REFUTED
    assert "another state" in capsys.readouterr().out


def test_replay_of_a_trace_needs_a_policy(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "x.json").write_text("{}")
    assert "POLICY|TRAFFIC" in refused(capsys, "replay", "x.json")
    assert "no record of a run" in refused(capsys, "replay", ".")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "there is no scenario `nowhere`"),
        (["missing.toml"], "missing.toml: there is no such file"),
        (["normal_operation", "--set", "malicous=1"], "`malicous`: there is no such field; did you mean `malicious`?"),
        (["normal_operation", "--set", "malicious=-1"], "`malicious`: expected greater than or equal to 0"),
        (["normal_operation", "--set", "bots=0"], "`bots`: expected greater than or equal to 1"),
        (["normal_operation", "--set", "QUORUN=4"], "`parameters.QUORUN`: the policy has no such parameter; did you"),
        (["normal_operation", "--set", "QUORUM=0"], "outside the range 1..1000000 for which the policy was proved"),
        (["normal_operation", "--fork-at", "3"], "--fork-at needs the run that is left"),
        ([], "which scenario?"),
    ],
)
def test_what_is_refused(arguments: list[str], says: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(capsys, "simulate", *arguments)
    assert not (place / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--set", "QUORUM=3"], "need --fork-at"),
        (["--seed", "3"], "without --runs, --seed"),
        (["--fork-at", "70"], "no tick 70 to fork at"),
        (["--fork-at", "30", "--set", "malicious=0.5"], "`malicious`: only parameters of the policy"),
        (["--ticks", "10"], "cannot take them back"),
    ],
)
def test_what_a_run_that_is_there_refuses(
    arguments: list[str], says: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate("--no-report", "--out", "a") == OK
    assert says in refused(capsys, "simulate", "--resume", "a", *arguments)


def test_a_run_of_another_scenario_is_not_gone_on_with(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("--no-report", "--out", "a") == OK
    assert "is of `normal_operation`, not of" in refused(capsys, "simulate", "stress_test", "--resume", "a")


def test_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--schema"]) == OK
    assert capsys.readouterr().out == (ROOT / "docs" / "scenario.schema.json").read_text()


def test_several_seeds_and_their_comparison(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("--runs", "3", "--jobs", "2", "--out", "on", "--no-report") == OK
    shown = capsys.readouterr().out
    assert "3 runs, seeds 1 to 3" in shown
    assert re.search(r"attackers found +100 % \(100 to 100\)", shown)
    assert simulate("--runs", "3", "--jobs", "1", "--out", "off", "--no-report", "--set", "agents=[]") == OK
    capsys.readouterr()
    assert run(["compare", "on", "off"]) == OK
    shown = capsys.readouterr().out
    assert "3 pairs with equal seeds" in shown
    assert re.search(r"harm that got through +30 % +100 % +\+70 points \(70 to 70\)  worse", shown)
    assert run(["compare", "off", "on"]) == OK
    assert re.search(r"-70 points \(-70 to -70\)  better", capsys.readouterr().out)


def test_runs_do_not_depend_on_the_number_of_workers(place: Path) -> None:
    for jobs in ("1", "2"):
        assert simulate("--runs", "2", "--jobs", jobs, "--out", jobs, "--no-report") == OK
    for seed in ("seed-1", "seed-2"):
        assert record.read_header(place / "1" / seed).final == record.read_header(place / "2" / seed).final


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("numpy", "simulate"),
        ("matplotlib.figure", "simulate"),
        ("ray", "ray"),
        ("optuna", "optimise"),
        ("SALib.sample", "optimise"),
    ],
)
def test_what_is_not_installed_is_named(module: str, extra: str) -> None:
    found = missing(ModuleNotFoundError(f"No module named '{module}'", name=module))
    assert found.message == f"`{module.partition('.')[0]}` is missing: pip install 'policyctl[{extra}]'"


def test_a_module_of_ours_that_is_missing_is_a_fault_of_the_tool() -> None:
    with pytest.raises(ModuleNotFoundError):
        missing(ModuleNotFoundError("No module named 'simulator.nothing'", name="simulator.nothing"))


def test_where_nothing_can_be_written(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "file").write_text("")
    assert simulate("--no-report", "--out", "file/a") == 1
    shown = capsys.readouterr().err
    assert "file" in shown
    assert "fault of the tool" not in shown


def test_one_run_each_is_no_comparison(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in ("1", "2"):
        assert simulate("--seed", seed, "--out", seed, "--no-report") == OK
    capsys.readouterr()
    assert run(["compare", "1", "2"]) == OK
    shown = capsys.readouterr().out
    assert "a difference may be chance" in shown
    assert "better" not in shown
    assert "worse" not in shown
    (place / "empty").mkdir()
    assert "is no record of a run" in refused(capsys, "compare", "1", "empty")


def test_runs_that_are_hardly_comparable_are_told_as_such(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("--out", "a", "--no-report") == OK
    assert simulate("--out", "b", "--no-report", "--ticks", "50", "--set", "bots=30") == OK
    assert simulate("--out", "c", "--no-report", "--set", "agents=[]", "--set", "QUORUM=7") == OK
    capsys.readouterr()
    assert run(["compare", "a", "b"]) == OK
    shown = capsys.readouterr()
    assert shown.err == "warning: these runs are hardly comparable, they differ in bots: 20 and 30; ticks: 60 and 50\n"
    assert "they differ in" not in shown.out
    assert run(["compare", "a", "c"]) == OK
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "they differ in agents, parameters\n" in shown.out


def test_a_run_that_is_over_before_the_attack_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = "warning: there is no attack: the attack begins at tick 20, and the run ends after 20 ticks"
    assert simulate("--out", "a", "--no-report", "--ticks", "20") == OK
    assert told in capsys.readouterr().err
    assert simulate("--out", "b", "--no-report", "--ticks", "21") == OK
    assert simulate("--out", "c", "--no-report", "--ticks", "20", "--set", "malicious=0.0") == OK
    assert "no attack" not in capsys.readouterr().err


def test_all_faults_of_parameters_are_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("DECAY=1.5", "QUORUM=0", "SEND_LIMITS=9", "MIN_TRUST=50", "bots=-1")
    shown = refused(capsys, "simulate", "normal_operation", *(x for s in settings for x in ("--set", s)))
    assert "`bots`: expected" in shown
    assert "`parameters.DECAY`: policies know whole numbers" in shown
    assert "`parameters.QUORUM`: 0 is outside the range 1..1000000" in shown
    assert "`parameters.SEND_LIMITS`: the policy has no such parameter; did you mean `SEND_LIMIT`?" in shown
    assert "MIN_TRUST" not in shown


def test_a_sweep(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["sweep", "normal_operation", *SMALL, "--vary", "malicious=0.1..0.4", "--vary", "decay=0..0.05"]
    command += ["--samples", "8", "--jobs", "2", "--out", "s"]
    assert run(command) == OK
    shown = capsys.readouterr()
    assert "8 points, 8 of 8 runs" in shown.out
    assert re.search(r"resilience .* rank|resilience +.* -0\.\d\d|resilience +.* -1\.00", shown.out)
    assert (place / "s" / "report.html").is_file()
    assert run(command) == OK
    assert "8 of 8 runs are in s already" in capsys.readouterr().err
    assert "another sweep is in `s`" in refused(capsys, *command, "--seeds", "2")


def test_a_sweep_with_crashes_is_an_error(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["sweep", "normal_operation", *SMALL, "--vary", "title=fine,crash", "--samples", "4", "--jobs", "2"]
    assert run(command) == ERRORS
    shown = capsys.readouterr().out
    assert "4 points, 2 of 4 runs" in shown
    assert "2 failed: RuntimeError: the engine broke" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--vary", "quroum=1..2"], "did you mean `quorum`?"),
        (["--vary", "quorum=0..5"], "0..5 is not inside 1..1000000"),
        (["--vary", "quorum=1..5", "--vary", "QUORUM=2..3"], "varied twice"),
        (["--vary", "quorum=1..5", "--metric", "speed"], "there is no metric `speed`"),
        (["--vary", "quorum=1..5", "--address", "x"], "--address is for"),
        (["--vary", "bots=1..3"], "committee"),
    ],
)
def test_what_a_sweep_refuses(arguments: list[str], says: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(capsys, "sweep", "normal_operation", "--ticks", "5", "--jobs", "1", *arguments)


def test_morris(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("SALib", reason="SALib is missing: `sweep --sensitivity` is NOT tested")
    command = ["sweep", "normal_operation", *SMALL, "--vary", "malicious=0.1..0.4", "--vary", "network.loss=0..1"]
    assert run([*command, "--samples", "9", "--sensitivity", "morris", "--metric", "resilience", "--jobs", "2"]) == OK
    shown = capsys.readouterr().out
    lines = [line.split()[0] for line in shown.splitlines() if line.startswith("  ") and "±" in line]
    assert lines == ["malicious", "network.loss"]
    assert "needs at least 6 runs" in refused(capsys, *command, "--samples", "5", "--sensitivity", "morris")


def test_optimize(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna", reason="optuna is missing: `policyctl optimize` is NOT tested")
    policy = str(ROOT / "specs" / "mvg" / "parameters.policy")
    command = [
        "optimize",
        "normal_operation",
        *SMALL,
        "--within",
        policy,
        "--samples",
        "6",
        "--seeds",
        "2",
        "--out",
        "o",
    ]
    assert run([*command, "--maximize", "resilience", "--only", "quorum", "--jobs", "2"]) == OK
    shown = capsys.readouterr().out
    assert "QUORUM               100 to 1,000,000" in shown
    assert "PROPOSAL_REWARD" not in shown
    assert "on fresh seeds" in shown
    found = json.loads((place / "o" / "optimum.json").read_text())
    assert all(t["parameters"]["QUORUM"] > 1000 for t in found["trials"])
    parameters = (place / "o" / "parameters.toml").read_text()
    (place / "best.toml").write_text(f"bots = 20\n{parameters}")
    assert load("best.toml").parameters == found["best"]["parameters"]


def test_what_optimize_refuses(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna", reason="optuna is missing: `policyctl optimize` is NOT tested")
    policy = place / "mine.policy"
    policy.write_text("module mine\n\nparam QUORUM: Int[1..9] = 3\nstate x: Int = 0\n\naction go() { x += 1 }\n\n")
    base = ["optimize", "normal_operation", "--within", str(policy), "--no-cache", "--jobs", "1"]
    assert "one of --maximize METRIC and --minimize METRIC" in refused(capsys, *base)
    assert "there is no metric `speed`" in refused(capsys, *base, "--maximize", "speed")
    assert "does not let one choose `DECAY`" in refused(capsys, *base, "--maximize", "worst", "--only", "DECAY")
    with policy.open("a") as file:
        file.write("invariant never: x <= 3\n")
    assert run([*base, "--maximize", "worst"]) == UNKNOWN
    assert "not proved: never; nothing is searched" in capsys.readouterr().err
