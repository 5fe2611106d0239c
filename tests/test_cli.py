"""The command line as a user meets it: answers, exit codes, files, and what happens when things go wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from policyctl import __version__, verify_one
from policyctl.main import main
from policyctl.options import Options

ROOT = Path(__file__).parent.parent
GOOD = """
entity Job
state done : Job -> Int = 0
action finish(job: Job) { require done[job] == 0 else "done already"  done[job] += 1 }
invariant once_only: forall j: Job . done[j] <= 1
reachable some: exists j: Job . done[j] == 1
test "once" { finish(j1) expect allow  finish(j1) expect deny "done already" }
"""
FLAWED = GOOD.replace('require done[job] == 0 else "done already"', "").split("test")[0]
MISSPELT = GOOD.replace("done[job] += 1", "don[job] += 1")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POLICYCTL_CACHE_DIR", raising=False)
    for name, text in (("good", GOOD), ("flawed", FLAWED), ("misspelt", MISSPELT)):
        Path(f"{name}.policy").write_text(text, encoding="utf-8")
    return tmp_path


def in_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "policyctl", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


# ---- verdicts and exit codes


@pytest.mark.parametrize(("file", "code"), [("good", 0), ("flawed", 3), ("misspelt", 1)])
def test_verify_answers_by_its_exit_code(place: Path, file: str, code: int) -> None:
    assert main(["verify", f"{file}.policy"]) == code


def test_a_refutation_shows_the_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "flawed.policy"]) == 3
    shown = capsys.readouterr().out
    assert "✗ once_only   refuted   in 2 steps" in shown
    assert shown.count("finish(") == 2
    assert "1 refuted · 0 unknown" in shown


def test_an_expected_refutation_is_a_success(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("flawed.policy").write_text(FLAWED.replace("invariant", "expect refuted invariant"), encoding="utf-8")
    assert main(["verify", "flawed.policy"]) == 0
    assert "(expected)" in capsys.readouterr().out


def test_a_proof_where_a_refutation_is_expected_is_reported(place: Path) -> None:
    Path("good.policy").write_text(GOOD.replace("invariant", "expect refuted invariant"), encoding="utf-8")
    assert main(["verify", "good.policy"]) == 3


def test_one_bad_file_spoils_the_run_but_hides_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "."]) == 1
    shown = capsys.readouterr().out
    assert "misspelt.policy:4:" in shown
    assert "✓ once_only" in shown
    assert "✗ once_only" in shown


def test_a_misspelt_name_is_underlined_with_a_hint(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "misspelt.policy"]) == 1
    shown = capsys.readouterr().out
    assert "`don`" in shown
    assert "^^^" in shown
    assert "`done`" in shown


def test_properties_can_be_chosen(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "flawed.policy", "--property", "some"]) == 0
    assert "once_only" not in capsys.readouterr().out


def test_a_test_that_starts_elsewhere_is_no_witness(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twice = "reachable twice: exists j: Job . done[j] == 2"
    start = 'test "from nowhere" { given done[j1] = 2  finish(j1) expect deny }'
    Path("good.policy").write_text(f"{GOOD}\n{twice}\n{start}", encoding="utf-8")
    assert main(["test", "good.policy"]) == 0
    assert main(["verify", "good.policy"]) == 3
    assert "✗ twice       refuted   unreachable" in capsys.readouterr().out


def test_deep_names_the_guards_that_a_proof_needs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD.replace("done[job] += 1", 'require job != job2 else "idle talk"  done[job] += 1').replace(
        "(job: Job)", "(job: Job, job2: Job)"
    )
    Path("good.policy").write_text(text.split("test")[0], encoding="utf-8")
    assert main(["verify", "good.policy", "--deep"]) == 0
    shown = capsys.readouterr().out
    assert 'needs "done already" of finish' in shown
    assert "idle talk" not in shown


def test_check_calls_no_solver(place: Path) -> None:
    assert main(["check", "flawed.policy"]) == 0


def test_tests_of_policies_pass_and_fail(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "good.policy"]) == 0
    assert "1 passed · 0 failed" in capsys.readouterr().out
    Path("good.policy").write_text(GOOD.replace('deny "done already"', "allow"), encoding="utf-8")
    assert main(["test", "good.policy"]) == 1
    shown = capsys.readouterr().out
    assert "error[R805]" in shown
    assert "0 passed · 1 failed" in shown


def test_verify_runs_the_tests_too(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "good.policy"]) == 0
    assert "2 proved · 0 unknown · 1 test passed · " in capsys.readouterr().out
    text = GOOD.replace('deny "done already"', "allow") + 'test "none" { expect done[j1] == 0 }'
    Path("good.policy").write_text(text, encoding="utf-8")
    for cached in ("", " (2 from cache)"):
        assert main(["verify", "good.policy"]) == 1
        shown = capsys.readouterr().out
        assert "error[R805]: test `once`: expected allow, got deny: done already\n --> good.policy:7:40" in shown
        assert "✗ once   good.policy:7" in shown
        assert "none" not in shown
        assert "2 proved · 0 unknown · 1 of 2 tests failed · " in shown
        assert shown.endswith(f" s{cached}\n")
    assert main(["verify", "good.policy", "--property", "some"]) == 0
    assert "test" not in capsys.readouterr().out


@pytest.mark.parametrize("format_", ["json", "sarif", "junit", "github"])
def test_a_failed_test_fails_verify_in_every_format(
    place: Path, format_: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("good.policy").write_text(GOOD.replace('deny "done already"', "allow"), encoding="utf-8")
    for _ in range(2):  # worked out, and from the cache
        assert main(["verify", "good.policy", "--format", format_]) == 1
        shown = capsys.readouterr().out
        assert "R805" in shown
        assert "expected allow, got deny" in shown
    assert main(["build", "good.policy", "-o", "good.bundle"]) == 1
    assert not Path("good.bundle").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify"],
        ["verify", "nowhere"],
        ["verify", "good.policy", "--format", "pdf"],
        ["verify", "good.policy", "--jobs", "0"],
        ["verify", "good.policy", "--property", "misspelt"],
        ["prove", "good.policy"],
        ["explain", "E9999"],
        ["recheck", "nowhere"],
        ["--nonsense"],
    ],
    ids=" ".join,
)
def test_usage_errors_exit_with_2(place: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err


def test_an_empty_directory_is_no_success(place: Path) -> None:
    (place / "empty").mkdir()
    assert main(["verify", "empty"]) == 1


@pytest.mark.parametrize(("content", "code"), [(b"\xff\xfe", "I951"), (b" " * 4_000_001, "I952")])
def test_files_that_are_no_text_are_diagnosed(
    place: Path, content: bytes, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("odd.policy").write_bytes(content)
    assert main(["verify", "odd.policy"]) == 1
    assert code in capsys.readouterr().out


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_ends_of_other_systems_are_line_ends(place: Path, newline: str) -> None:
    Path("good.policy").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", newline).encode())
    assert main(["check", "good.policy"]) == 0


# ---- outputs


@pytest.mark.parametrize("format_", ["text", "json", "sarif", "junit", "github"])
def test_reports_go_where_they_are_asked_to(place: Path, format_: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "flawed.policy", "--format", format_]) == 3
    first = capsys.readouterr().out
    assert main(["verify", "flawed.policy", "--format", format_, "--output", "out/report"]) == 3
    assert capsys.readouterr().out == ""
    assert "once_only" in first
    assert "once_only" in Path("out/report").read_text(encoding="utf-8")


def test_json_has_the_record_of_the_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["verify", "flawed.policy", "--format", "json"])
    data = json.loads(capsys.readouterr().out)
    [view] = [p for p in data["files"][0]["properties"] if p["name"] == "once_only"]
    assert view["status"] == "refuted"
    assert [s["action"] for s in view["trace"]["record"]["steps"]] == ["finish", "finish"]


def test_a_counterexample_can_be_replayed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["verify", "flawed.policy", "--traces", "runs"])
    capsys.readouterr()
    assert main(["replay", "runs/flawed.once_only.trace.json", "flawed.policy"]) == 0
    assert "every decision and change is as recorded" in capsys.readouterr().out
    assert main(["replay", "runs/flawed.once_only.trace.json", "good.policy"]) == 3
    assert "differs from the record" in capsys.readouterr().out


def test_a_certificate_can_be_rechecked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "good.policy", "--certificates", "proofs"]) == 0
    certificate = "proofs/good.certificate.json"
    assert main(["recheck", certificate, "--policy", "good.policy"]) == 0
    assert "confirmed by cvc5" in capsys.readouterr().out
    assert main(["recheck", certificate, "--policy", "flawed.policy"]) == 3
    capsys.readouterr()
    assert main(["recheck", "proofs", certificate]) == 0
    assert capsys.readouterr().out.count("confirmed by cvc5") == 1
    Path("empty").mkdir()
    assert main(["recheck", "empty"]) == 2
    Path(certificate).unlink()
    assert main(["verify", "good.policy", "--certificates", "proofs"]) == 0
    assert Path(certificate).exists(), "from the cache too"


def test_a_tampered_certificate_is_not_confirmed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["verify", "good.policy", "--certificates", "proofs"])
    file = Path("proofs/good.certificate.json")
    data = json.loads(file.read_text(encoding="utf-8"))
    data["properties"][0]["obligations"][0]["smtlib"] += " "
    file.write_text(json.dumps(data), encoding="utf-8")
    assert main(["recheck", str(file)]) == 3
    assert "NOT confirmed" in capsys.readouterr().out


# ---- other commands


def test_diff_shows_what_is_newly_allowed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "good.policy", "flawed.policy"]) == 0
    shown = capsys.readouterr().out
    assert "newly allowed: finish" in shown
    assert "-  2  finish(" in shown
    assert "deny: done already" in shown
    assert "+  2  finish(" in shown
    assert main(["diff", "good.policy", "flawed.policy", "--exit-code"]) == 3
    capsys.readouterr()
    assert main(["diff", "good.policy", "flawed.policy", "--verify", "--format", "json"]) == 0
    [file] = json.loads(capsys.readouterr().out)["files"]
    assert [d["kind"] for d in file["differences"]] == ["newly allowed"]
    assert file["verdicts"] == [{"property": "once_only", "old": "proved", "new": "refuted"}]


def test_diff_of_the_same_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("same.policy").write_text("// a comment\n" + GOOD, encoding="utf-8")
    assert main(["diff", "good.policy", "same.policy", "--exit-code"]) == 0
    assert "answered alike" in capsys.readouterr().out


def test_diff_of_directories_pairs_by_path(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side, files in (("old", {"a": GOOD, "gone": GOOD}), ("new", {"a": FLAWED, "added": GOOD})):
        Path(side).mkdir()
        for name, text in files.items():
            Path(side, f"{name}.policy").write_text(text, encoding="utf-8")
    assert main(["diff", "old", "new"]) == 0
    shown = capsys.readouterr().out
    assert "newly allowed: finish" in shown
    assert "file added: added.policy" in shown
    assert "file removed: gone.policy" in shown


def test_diff_of_a_broken_policy_shows_the_errors(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "good.policy", "misspelt.policy"]) == 1
    assert "misspelt.policy:4:" in capsys.readouterr().err
    assert main(["diff", "good.policy", "."]) == 2


def test_fmt_formats_once_and_for_all(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "--check", "good.policy"]) == 1
    assert main(["fmt", "--diff", "good.policy"]) == 1
    assert Path("good.policy").read_text(encoding="utf-8") == GOOD
    assert "+++ good.policy (formatted)" in capsys.readouterr().out
    assert main(["fmt", "good.policy"]) == 0
    once = Path("good.policy").read_text(encoding="utf-8")
    assert once != GOOD
    assert main(["fmt", "good.policy"]) == 0
    assert Path("good.policy").read_text(encoding="utf-8") == once
    assert main(["fmt", "--check", "good.policy"]) == 0
    assert main(["verify", "good.policy"]) == 0


def test_fmt_leaves_what_is_no_policy_alone(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.policy").write_text("state  x :", encoding="utf-8")
    assert main(["fmt", "odd.policy"]) == 1
    assert Path("odd.policy").read_text(encoding="utf-8") == "state  x :"
    assert "error[E0" in capsys.readouterr().err


def test_explain_has_a_page_for_what_check_reports(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "misspelt.policy"])
    code = capsys.readouterr().out.partition("[")[2].partition("]")[0]
    assert main(["explain", code.lower()]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"{code}: ")
    assert main(["explain"]) == 0
    assert f"{code}  " in capsys.readouterr().out


# ---- cache


def test_the_second_run_is_from_the_cache_and_says_the_same(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["verify", "flawed.policy"])
    first = capsys.readouterr().out
    assert Path(".policyctl-cache").is_dir()
    main(["verify", "flawed.policy"])
    second = capsys.readouterr().out
    assert first.splitlines()[:-1] == second.splitlines()[:-1]
    assert "(2 from cache)" not in first
    assert "(2 from cache)" in second


def test_no_cache_writes_nothing(place: Path) -> None:
    main(["verify", "good.policy", "--no-cache"])
    assert not Path(".policyctl-cache").exists()


def test_a_cached_run_loads_neither_parser_nor_solvers(place: Path) -> None:
    assert in_process("verify", "good.policy").returncode == 0
    code = (
        "import sys; from policyctl.main import main; main(['verify', 'good.policy']);"
        "heavy = {'lark', 'z3', 'cvc5', 'pydantic', 'networkx', 'rich'};"
        "print(heavy & set(sys.modules), file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert "from cache" in done.stdout
    assert done.stderr.strip() == "set()"


# ---- the process itself


def test_the_version_needs_no_command_line(place: Path) -> None:
    code = "import sys; from policyctl.main import main; main(['--version']); print('click' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == f"policyctl {__version__}\nFalse\n"


def test_a_crash_is_an_apology_and_70(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr("policyctl.cli.emit", fail)
    assert main(["check", "good.policy"]) == 70
    shown = capsys.readouterr().err
    assert "not of your policy" in shown
    assert "Traceback" not in shown
    assert main(["--debug", "check", "good.policy"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_crash_in_a_worker_is_part_of_the_result(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_one, "load_one", lambda *_: 1 // 0)
    done = verify_one.do(verify_one.Task("good.policy", "verify", Options()))
    assert "ZeroDivisionError" in done.result.crash
    assert done.result.properties == ()


def test_a_reader_that_has_had_enough_is_no_error(place: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = f"{sys.executable} -m policyctl explain --all | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == ""


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_leaves_a_clean_state(place: Path, times: int) -> None:
    """Wherever it strikes: exit 130 with no traceback, or the run was done before."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "policyctl", "verify", str(ROOT / "specs"), "--cache-dir", str(place / "cache")]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    time.sleep(0.4 * times)
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    assert "Traceback" not in errors
    # A KeyboardInterrupt inside an `exec`, as imports do it, makes Python end itself by the signal.
    assert started.returncode in {130, -signal.SIGINT} or not errors
    halves = [p for p in (place / "cache").glob("*") if p.name.startswith(".") and p.name != ".gitignore"]
    assert halves == []


def test_output_that_the_terminal_cannot_say_is_no_crash(place: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "policyctl", "verify", "good.policy"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0
    assert "? once_only" in done.stdout


def test_help_of_every_command_has_words_for_each_option(place: Path) -> None:
    from policyctl.cli import commands

    main(["--help"])
    for name, command in commands.commands.items():
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.name}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"ballots"', '"balots"', "there is no state variable `balots`"),
        ('"MIN_REPUTATION"', '"MIN"', "unknown parameter `MIN`"),
        ('"REPUTATION_REWARD": ', '"REPUTATION_REWARD": 99999', "outside its range"),
    ],
)
def test_a_run_of_another_policy_is_no_fault_of_the_tool(
    old: str, new: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = str(ROOT / "specs" / "mvg" / "seed_contract.policy")
    traces = ["--traces", str(tmp_path), "--property", "honest_tally", "--cache-dir", str(tmp_path / "cache")]
    main(["verify", policy, *traces])
    [trace] = tmp_path.rglob("*.trace.json")
    text = trace.read_text(encoding="utf-8")
    assert old in text
    trace.write_text(text.replace(old, new), encoding="utf-8")
    capsys.readouterr()
    assert main(["replay", str(trace), policy]) == 1
    assert said in capsys.readouterr().err


def test_the_command_line_loads_what_a_command_needs_and_no_more() -> None:
    """`policyctl verify` pays for everything that any command imports at its top."""
    code = "import sys; from policyctl.cli import run; run(['explain', 'E101']); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in found.stdout.split()}
    assert not loaded & {"runtime", "simulator", "voting", "hosts", "verifier", "pydantic", "numpy", "z3", "web3"}
