"""The commands of an election: secret ballots, trustees who can only count together, and a tally anybody can check."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from policyctl.cli import Sections, commands, jobs_option
from policyctl.exit_codes import ERRORS, OK
from policyctl.files import write_atomically
from policyctl.output import write_out

if TYPE_CHECKING:
    from voting.election import Election
    from voting.keys import Secret
    from voting.posts import Entry, Envelope

P = ParamSpec("P")
VARIABLE = "reputation"
"""What the weights are called in the store of an enforcer."""
_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_new_file = click.Path(dir_okay=False, path_type=Path)
board_argument = click.argument("board", metavar="BULLETIN", type=_file)
_key = click.argument("key", metavar="KEY", type=_file)
_output = click.option(
    "--output", "-o", type=_new_file, help="Write the post to a file instead, for `policyctl election post`."
)


def clear_errors(command: Callable[P, int]) -> Callable[P, int]:
    """What is refused, and a library that is missing, as messages."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            from voting.faults import RefusedError
            from voting.group import ORDER  # noqa: F401 to see whether PyNaCl is there
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "nacl":
                raise
            raise click.ClickException("`nacl` is missing: pip install 'policyctl[election]'") from None
        try:
            return command(*args, **kwargs)
        except RefusedError as error:
            click.echo("\n".join(f"refused: {fault}" for fault in error.faults), err=True)
            return ERRORS
        except OSError as error:
            raise click.ClickException(f"{error.filename or 'input or output'}: {error.strerror}") from None

    return wrapped


@commands.group("election", cls=Sections, short_help="Secret ballots, and a tally that anybody can check.")
def election_group() -> None:
    """Hold an election whose ballots nobody reads and whose result anybody can check.

    BULLETIN is the board: one file with everything that was ever posted. KEY is a file that `keygen` wrote.
    docs/election.md walks through one, and says what it does not protect from.

    \b
    policyctl election keygen alice.key                for everybody, once
    policyctl election new bulletin.json ...           the authority announces it
    policyctl election key bulletin.json rita.key      each trustee, twice
    policyctl election open bulletin.json clerk.key
    policyctl election cast bulletin.json alice.key yes
    policyctl election close bulletin.json clerk.key
    policyctl election decrypt bulletin.json rita.key  as many trustees as it takes
    policyctl election verify bulletin.json            anybody
    """


@election_group.command(short_help="Make keys for voters, trustees and the authority.")
@click.argument("paths", metavar="KEY...", nargs=-1, required=True, type=_new_file)
@clear_errors
def keygen(paths: tuple[Path, ...]) -> int:
    """Write a new secret to each KEY, for `alice` in alice.key, and what others may know of it to alice.pub."""
    from policyctl.election_files import PUBLIC, make_key

    for path in paths:
        make_key(path, path.stem, secrets.token_bytes(32))
        write_out(f"{path} is for {path.stem} alone, {path.with_suffix(PUBLIC)} for everybody\n")
    return OK


@election_group.command(short_help="Announce an election.")
@click.argument("board", metavar="BULLETIN", type=_new_file)
@click.argument("key", metavar="KEY", type=_file)
@click.option("--question", required=True, help="What is voted on; the answers are yes, no, and to abstain.")
@click.option("--voters", type=_file, required=True, help="A table with the columns name, weight and key.")
@click.option("--scores", help="Where the weights are, if not in the table: as for `policyctl reputation root`.")
@click.option("--trustee", "trustees", type=_file, multiple=True, required=True, help="A .pub file (repeated).")
@click.option("--threshold", type=int, required=True, help="How many trustees it takes to decrypt.")
@clear_errors
def new(
    board: Path,
    key: Path,
    question: str,
    voters: Path,
    scores: str | None,
    trustees: tuple[Path, ...],
    threshold: int,
) -> int:
    """Begin a BULLETIN with the question, the trustees, and who has which weight. KEY is that of the authority, which
    opens and closes the voting.

    \b
    Examples:
      policyctl election new bulletin.json clerk.key --question "Shall we?" --voters voters.csv \\
        --trustee rita.pub --trustee sam.pub --trustee tess.pub --threshold 2
    """
    from policyctl.election_files import board_text, person_of, read_key, read_public, read_voters
    from policyctl.score_source import read_scores
    from voting.acts import announce, entry_after
    from voting.election import Election

    if board.exists():
        raise click.UsageError(f"{board} is there already")
    name, secret = read_key(key)
    posts = announce(
        secrets.token_bytes,
        question,
        person_of(name, secret),
        secret,
        [read_public(t) for t in trustees],
        threshold,
        read_voters(voters, None if scores is None else read_scores(scores, None, VARIABLE).scores),
    )
    election = Election()
    for post in posts:
        election.accept(entry_after(election, post))
    write_atomically(board, board_text(posts))
    roll = election.announced.roll
    write_out(f"election {election.id.hex()}\n")
    write_out(f"{roll.voters} voters with a weight of {roll.weight}, any {threshold} of {len(trustees)} trustees\n")
    return OK


@election_group.command("key", short_help="A trustee's part in making the key.")
@board_argument
@_key
@click.option("--no-wait", is_flag=True, help="Go on without trustees that have not dealt; they cannot any more.")
@_output
@clear_errors
def make_key_together(board: Path, key: Path, no_wait: bool, output: Path | None) -> int:
    """Post what the trustee with this KEY has to post now: first its part of the key of the election, shared among all
    trustees; then, when all have dealt, that the shares it got are right, or which one is not.
    """
    from voting.acts import next_of_trustee

    entries, election = replayed(board)
    name, secret = _trustee(election, key)
    posts = next_of_trustee(secrets.token_bytes, election, name, secret, wait=not no_wait)
    if not posts:
        dealt = len(election.deals)
        missing = [t.name for t in election.announced.trustees if t.name not in election.deals]
        waiting = f"; waiting for {', '.join(missing)}" if missing and name not in election.confirmed else ""
        write_out(f"{name} has nothing to post: {dealt} have dealt{waiting}\n")
        return OK
    said = {
        "deal": f"{name} has dealt",
        "confirm": f"{name} holds a share of the key",
        "complaint": f"{name} shows that a share is wrong; run this again",
    }
    return _put(board, entries, election, posts, output, said[posts[0].kind])


@election_group.command("open", short_help="Open the voting.")
@board_argument
@_key
@clear_errors
def open_(board: Path, key: Path) -> int:
    """Open the voting under the key that the trustees have confirmed. KEY is that of the authority."""
    from policyctl.election_files import read_key
    from voting.acts import open_voting

    entries, election = replayed(board)
    post = open_voting(election, read_key(key)[1])
    return _put(board, entries, election, [post], None, f"voting is open, under the key {election.key.hex()}")


@election_group.command(short_help="Cast a secret ballot.")
@board_argument
@_key
@click.argument("choice", type=click.Choice(["yes", "no", "abstain"]))
@_output
@clear_errors
def cast(board: Path, key: Path, choice: str, output: Path | None) -> int:
    """Cast the ballot of the voter with this KEY. It cannot be changed. The receipt says nothing about the choice."""
    from policyctl.election_files import read_key
    from voting.acts import cast as ballot_of
    from voting.ballots import Choice
    from voting.election import Stage
    from voting.faults import Code, refuse
    from voting.posts import receipt_of

    entries, election = replayed(board)
    _, secret = read_key(key)
    if election.stage is not Stage.OPEN:
        raise refuse(Code.STAGE, str(board), f"the election is {election.stage}")
    voter = next((v.name for v in election.roll.values() if v.sign == secret.sign_key), None)
    if voter is None:
        raise refuse(Code.AUTHOR, str(key), "nobody on the roll has this key")
    post = ballot_of(secrets.token_bytes, election, voter, secret, Choice(choice))
    return _put(board, entries, election, [post], output, f"{voter} has voted, receipt {receipt_of(post).hex()}")


@election_group.command(short_help="Put posts on the board that were made elsewhere.")
@board_argument
@click.argument("files", nargs=-1, required=True, type=_file)
@clear_errors
def post(board: Path, files: tuple[Path, ...]) -> int:
    """Check the posts in FILES, made with -o, and put them on the BULLETIN: all of them, or none."""
    from policyctl.election_files import read_post

    entries, election = replayed(board)
    posts = [read_post(f) for f in files]
    return _put(board, entries, election, posts, None, f"{len(posts)} accepted")


@election_group.command(short_help="Close the voting.")
@board_argument
@_key
@jobs_option
@clear_errors
def close(board: Path, key: Path, jobs: int) -> int:
    """Check every ballot and close the voting. KEY is that of the authority."""
    from policyctl.election_files import read_key
    from voting.acts import close_voting

    entries, election = replayed(board, jobs)
    said = f"voting is closed, with {len(election.ballots)} ballots"
    return _put(board, entries, election, [close_voting(election, read_key(key)[1])], None, said)


@election_group.command(short_help="A trustee's part in the decryption of the result.")
@board_argument
@_key
@_output
@jobs_option
@clear_errors
def decrypt(board: Path, key: Path, output: Path | None, jobs: int) -> int:
    """Check the whole BULLETIN and contribute to the decryption of its totals; no ballot is ever decrypted. With the
    last contribution that it takes, the result is posted.
    """
    from voting.acts import contribute, decide
    from voting.election import Stage
    from voting.faults import Code, refuse

    entries, election = replayed(board, jobs)
    name, secret = _trustee(election, key)
    if election.stage is not Stage.CLOSED:
        raise refuse(Code.STAGE, str(board), f"the election is {election.stage}")
    threshold = election.announced.threshold
    if len(election.shares) < threshold:
        share = contribute(secrets.token_bytes, election, name, secret)
        if output is not None:
            return _put(board, entries, election, [share], output, f"{name} has made a contribution")
        _accept(entries, election, [share])
    said = f"contributed: {', '.join(election.shares)}; it takes {threshold}"
    if len(election.shares) < threshold:
        return _put(board, entries, election, [], None, said)
    result = decide(election, name, secret)
    said = "yes {yes} · no {no} · abstain {abstain}".format(**result.body)
    return _put(board, entries, election, [result], None, said)


def replayed(board: Path, jobs: int = 1) -> tuple[list[Entry], Election]:
    """What is on a board, and the election that it makes up. Raises `RefusedError`."""
    from policyctl.election_processes import in_parallel
    from voting.board import read_board
    from voting.election import replay

    entries = read_board(board.read_bytes())
    return entries, replay(entries, in_parallel(jobs))


def _trustee(election: Election, key: Path) -> tuple[str, Secret]:
    from policyctl.election_files import read_key
    from voting.faults import Code, refuse

    _, secret = read_key(key)
    trustees = election.announced.trustees if election.manifest is not None else []
    found = next((t.name for t in trustees if t.sign == secret.sign_key), None)
    if found is None:
        raise refuse(Code.AUTHOR, str(key), "no trustee of this election has this key")
    return found, secret


def _put(
    board: Path, entries: list[Entry], election: Election, posts: Sequence[Envelope], output: Path | None, said: str
) -> int:
    """Accept `posts` and write the board with them, or write the one there is to a file."""
    from policyctl.election_files import board_text, post_text
    from voting.board import read_board
    from voting.faults import Code, refuse

    _accept(entries, election, posts)
    if output is not None:
        write_atomically(output, post_text(posts[0]))
    else:
        now = read_board(board.read_bytes())
        if [e.hash for e in now] != election.hashes[: len(now)]:
            raise refuse(Code.HEAD, str(board), "somebody else has posted meanwhile; run this again")
        write_atomically(board, board_text([e.post for e in entries]))
    write_out(f"{said}\n")
    return OK


def _accept(entries: list[Entry], election: Election, posts: Sequence[Envelope]) -> None:
    from voting.acts import entry_after
    from voting.election import accept

    for made in posts:
        entry = entry_after(election, made)
        accept(election, entry)
        entries.append(entry)
