"""The commands around the enforcer: build a bundle, decide a request, and what a bundle makes of recorded traffic."""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policyctl.cache import Cache
from policyctl.cli import cache_dir_option, commands, jobs_option, no_cache_option
from policyctl.exit_codes import OK, REFUTED, exit_code
from policyctl.files import beside
from policyctl.options import Options
from policyctl.output import emit, own_paint, write_out
from policyctl.progress import progress_on
from policyctl.results import Run
from policyctl.run_files import run_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from policyctl.paint import Paint
    from runtime.bundle import Bundle
    from runtime.decision import Decision
    from runtime.traffic import Recorded

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@commands.command(short_help="Verify policies, and pack them for the enforcer.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--output", "-o", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The bundle.")
@click.option("--sign", type=_file, metavar="KEY", help="Sign with a private key, as of `policyctl log keygen`.")
@click.option("--unproved", is_flag=True, help="Build it even if not everything it promises is proved.")
@jobs_option
@no_cache_option
@cache_dir_option
def build(
    paths: tuple[str, ...],
    output: Path,
    sign: Path | None,
    unproved: bool,
    jobs: int,
    no_cache: bool,
    cache_dir: Path,
) -> int:
    """Verify the policies in PATHS and write a bundle: what the enforcer runs, and the certificates of its proofs.

    Nothing is written unless every property that the policies promise is proved. With --unproved it is, and whoever
    opens it has to allow that, too; then every decision says so.

    \b
    Examples:
      policyctl build specs/gateway -o gateway.bundle
      policyctl build specs/gateway -o gateway.bundle --sign release.key
    """
    from policyctl.to_parts import to_parts
    from runtime.bundle import BundleError, read
    from runtime.bundle import build as packed

    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        certificates = Path(directory)
        cache = Cache(None if no_cache else cache_dir)
        with progress_on(sys.stderr, "verify") as progress:
            files = run_files("verify", paths, Options(certificates=True), cache, jobs, progress, certificates)
        run = Run("verify", files, time.perf_counter() - begun)
        texts = [certificates / beside(f.path, ".certificate.json") for f in files]
        failed = exit_code(run) != OK
        if failed and (not unproved or not all(t.exists() for t in texts)):
            emit(run, "text", None, False)
            click.echo(f"{output} was not written", err=True)
            return exit_code(run)
        try:
            parts = to_parts(t.read_text(encoding="utf-8") for t in texts)
            data = packed(parts, None if sign is None else sign.read_text(encoding="utf-8", errors="replace"))
            bundle = read(data)
        except BundleError as error:
            raise click.ClickException(str(error)) from error
    if not bundle.verified and not unproved:
        _show_unproved(bundle)
        click.echo(f"{output} was not written; --unproved would write it", err=True)
        return REFUTED
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(data)
    _show_bundle(output, bundle, signed=sign is not None)
    return OK


def _show_bundle(path: Path, bundle: Bundle, *, signed: bool) -> None:
    paint = own_paint()
    lines = [f"{path}  {paint('dim', f'bundle {bundle.digest[:12]}')}{'  signed' if signed else ''}"]
    width = max(len(p.system.name) for p in bundle.policies)
    for p in bundle.policies:
        promised = len([q for q in p.system.properties if q.name not in p.unproved])
        state = paint("green", f"✓ {promised} properties proved")
        if p.unproved:
            state = paint("red", f"✗ not proved: {', '.join(p.unproved)}")
        lines.append(f"  {p.system.name:{width}}  {state}  {paint('dim', f'policy {p.digest[:12]}')}")
    write_out("\n".join(lines) + "\n")


def _show_unproved(bundle: Bundle) -> None:
    for p in bundle.policies:
        for name in p.unproved:
            click.echo(f"{p.system.name}: `{name}` is not proved, or is meant to be refuted", err=True)


@commands.command(short_help="Decide one request, with reasons.")
@click.argument("bundle", type=_file)
@click.option("--request", "-r", required=True, type=click.File(encoding="utf-8"), help="JSON; `-` is standard input.")
@click.option("--map", "mapping", metavar="FILE", help="The request is a call of a host, and this its mapping.")
@click.option("--state", default="memory:", show_default=True, help="SQLite file or PostgreSQL URL: decide for good.")
@click.option("--given", type=click.File(encoding="utf-8"), help="JSON: members of groups, other free variables.")
@click.option("--key", type=_file, help="Take only a bundle signed with this public key (PEM).")
@click.option("--unproved", is_flag=True, help="Take a bundle that is not fully proved.")
@click.option(
    "--format", "format_", type=click.Choice(("text", "json")), default="text", show_default=True, help="How to answer."
)
def decide(
    bundle: Path,
    request: Any,
    mapping: str | None,
    state: str,
    given: Any,
    key: Path | None,
    unproved: bool,
    format_: str,
) -> int:
    """Decide one request under BUNDLE, and say why.

    The request is `{"action": "…", "inputs": {…}, "key": "…"}`; the inputs may also stand beside the action. With --map
    it is a call of a host, `{"host": "…", "tool": "…", "arguments": {…}, "agent": "…", …}`, and the requests that
    become of it are shown. Without --state it is decided in the initial state and nothing is kept. Exits with 0 when it
    is allowed, 3 when not.
    """
    from policyctl.embed import Enforcer
    from runtime import decision_json

    wanted = _json(request)
    if mapping is not None:
        from policyctl.decide_call import decide_call
        from policyctl.serving import Plan

        plan = Plan(
            bundle, (mapping,), state, key, None, given_of(given), frozenset(obligations(bundle)), unproved=unproved
        )
        return decide_call(plan, wanted, format_, own_paint())
    if not isinstance(wanted, dict) or not isinstance(wanted.get("action"), str):
        raise click.ClickException("the request is a JSON object with an `action`")
    if not isinstance(wanted.get("inputs", {}), dict):
        raise click.ClickException("the `inputs` of the request are a JSON object")
    beside_action = {k: v for k, v in wanted.items() if k not in ("action", "key", "inputs")}
    inputs = {**beside_action, **wanted.get("inputs", {})}
    cells = given_of(given)
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)  # what it would say is part of the answer
    try:
        enforcer = Enforcer.open(bundle, state, key=key, given=cells, unproved=unproved, promised=obligations(bundle))
    finally:
        logging.disable(before)
    decision = enforcer.decide_request(wanted["action"], inputs, str(wanted.get("key", "")))
    enforcer.close()
    if format_ == "json":
        write_out(json.dumps(decision_json.to_data(decision), indent=2) + "\n")
    else:
        write_out("\n".join(explained(decision, own_paint())) + "\n")
    return OK if decision.allowed else REFUTED


def _json(file: Any) -> Any:
    try:
        return json.load(file)
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{file.name}: this is no JSON: {error}") from error


def given_of(file: Any) -> dict[str, Any] | None:
    found = _json(file) if file else None
    if found is not None and not isinstance(found, dict):
        raise click.ClickException(f"{file.name}: this is no JSON object of groups and their members")
    return found


def obligations(path: Path) -> set[str]:
    """All that may have to be done beside: it is shown, and left to whoever asks."""
    from policyctl.embed import read_bundle
    from runtime.bundle import Bundle

    found = read_bundle(path)
    if not isinstance(found, Bundle):
        return set()
    return {o.name for p in found.policies for a in p.system.actions for o in a.obligations}


def explained(d: Decision, paint: Paint) -> list[str]:
    style = {"allow": "green", "deny": "bold red", "approve": "yellow"}[d.effect]
    lines = [f"{paint(style, d.effect)}  {d.code.value}{f': {d.reason}' if d.reason else ''}"]
    lines += [f"  rule        {r.name}  {paint('dim', r.place)}" for r in d.rules]
    lines += [f"  obligation  {o.name}({', '.join(map(str, o.args))})" for o in d.obligations]
    lines += [f"  rewritten   {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in d.transform]
    if d.ticket:
        lines.append(f"  ticket      {d.ticket}")
    if d.serial >= 0:
        lines.append(f"  record      {d.serial}")
    if d.basis is not None:
        each = zip(*(t.split(", ") for t in (d.basis.system, d.basis.policy, d.basis.certificate)), strict=True)
        for name, policy, certificate in each:
            proof = f"proved, certificate {certificate[:12]}" if d.basis.verified else paint("red", "not proved")
            lines.append(f"  policy      {name} {policy[:12]}, {proof}")
    return lines


def replay_bundle(path: Path, traffic: Path, against: Path | None, given: Any, examples: int) -> int:
    """What the bundle at `path` decides about recorded traffic; with `against`, what it decides otherwise than that."""
    from policyctl.replay_tables import SUFFIXES
    from policydsl.core.read_json import MalformedError
    from runtime.traffic import read_line

    if traffic.suffix in SUFFIXES:
        return _replay_tables(path, traffic, against, given_of(given), examples)
    try:
        # Not `splitlines`: texts in JSON may have other separators of lines in them.
        lines = traffic.read_text(encoding="utf-8").split("\n")
        requests = [r for n, line in enumerate(lines, 1) if line.strip() and (r := read_line(line, n)) is not None]
    except (MalformedError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{traffic}: {error}") from error
    cells = given_of(given)
    found = _decided(path, requests, cells)
    lines = _summary(f"{traffic}: {len(requests):,} requests under {path}", [d for _, d in found])
    if against is None:
        write_out("\n".join(lines) + "\n")
        return OK
    before = _decided(against, requests, cells)
    call = _calls(path, cells)
    changed = [(r, o, n) for (r, o), (_, n) in zip(before, found, strict=True) if o.effect != n.effect]
    lines += ["", f"against {against}: {len(changed):,} decisions differ"]
    for kind, count in Counter((o.effect, n.effect) for _, o, n in changed).most_common():
        lines.append(f"  {kind[0]} -> {kind[1]}  {count:,}")
        shown = [c for c in changed if (c[1].effect, c[2].effect) == kind][:examples]
        lines += [f"    line {r.line}: {call(r)}\n      was {_short(o)}, is {_short(n)}" for r, o, n in shown]
    write_out("\n".join(lines) + "\n")
    return REFUTED if changed else OK


def _replay_tables(path: Path, traffic: Path, against: Path | None, cells: Any, examples: int) -> int:
    from importlib.util import find_spec

    from policyctl.replay_tables import replay_tables
    from policydsl.core.read_json import MalformedError
    from runtime.bundle import BundleError
    from runtime.policies import SettingsError

    if find_spec("pyarrow") is None:
        raise click.ClickException(f"{traffic}: tables need NumPy and PyArrow: install `policyctl[columns]`")
    try:
        lines, differs = replay_tables(path, traffic, against, cells, examples)
    except (BundleError, SettingsError, MalformedError) as error:
        raise click.ClickException(str(error)) from error
    write_out("\n".join(lines) + "\n")
    return REFUTED if differs else OK


def _decided(path: Path, requests: list[Recorded], cells: Any) -> list[tuple[Recorded, Decision]]:
    from policyctl.embed import policies_for_trial
    from runtime.bundle import BundleError
    from runtime.policies import SettingsError
    from runtime.traffic import replay_traffic

    try:
        return list(replay_traffic(policies_for_trial(path, cells), requests))
    except (BundleError, SettingsError) as error:
        raise click.ClickException(f"{path}: {error}") from error


def _summary(head: str, decisions: list[Decision]) -> list[str]:
    effects = Counter(d.effect for d in decisions)
    lines = [head, "  " + "  ".join(f"{effect} {effects[effect]:,}" for effect in ("allow", "deny", "approve"))]
    why = Counter(
        ", ".join(r.name for r in d.rules) or d.reason or d.code.value for d in decisions if d.effect == "deny"
    )
    lines += [f"    denied {count:,}: {reason}" for reason, count in why.most_common(10)]
    return lines


def _calls(path: Path, cells: Any) -> Callable[[Recorded], str]:
    """How to write a request under the bundle at `path`."""
    from policyctl.call_words import call_words
    from policyctl.embed import policies_for_trial
    from policydsl.core.system import NOW

    systems = [p.policy.system for p in policies_for_trial(path, cells).running]
    return lambda r: call_words(r.action, r.inputs if r.at is None else {**r.inputs, NOW: r.at}, systems)


def _short(d: Decision) -> str:
    rules = f" by {', '.join(r.name for r in d.rules)}" if d.rules else ""
    return f"{d.effect}{rules}{f' ({d.reason})' if d.reason else ''}"
