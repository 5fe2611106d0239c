"""Files to a sidecar that runs: bundle, mappings and tokens are read, a socket is bound, and uvicorn does the rest."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hosts.guard import Guard
from hosts.mapping import SHIPPED, MappingError
from hosts.mapping import read as read_mapping
from hosts.mapping_check import check
from hosts.service import Service
from hosts.tokens import Bearer, TokenError
from hosts.tokens import read as read_tokens
from policyctl.embed import MEMORY, Enforcer
from policyctl.telemetry import Telemetry, new_meter

THREADS = 64
"""Requests that may wait for the disk at the same time; they share one wait."""


class ServeError(ValueError):
    """The sidecar cannot run like this."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What whoever starts a sidecar says. Mappings are files, or names of those that ship."""

    bundle: Path
    mappings: tuple[str, ...]
    state: str = MEMORY
    key: Path | None = None
    tokens: Path | None = None
    given: Mapping[str, Any] | None = None
    promised: frozenset[str] = frozenset()
    officers: tuple[str, ...] = ()
    shadow: bool = False
    unproved: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


def shipped() -> list[str]:
    """The names of the mappings that ship."""
    return sorted(p.stem for p in SHIPPED.glob("*.toml"))


def prepare(plan: Plan, base: str, watched: bool = True) -> Service:
    """The sidecar that `plan` describes, before it listens. One that is `watched` counts its decisions, and logs them.
    Raises `ServeError`."""
    enforcer = Enforcer.open(
        plan.bundle,
        plan.state,
        key=plan.key,
        given=plan.given,
        promised=plan.promised,
        officers=plan.officers,
        shadow=plan.shadow,
        unproved=plan.unproved,
        meter=new_meter() if watched else None,
    )
    if enforcer.fault is not None:
        raise ServeError(f"{plan.bundle}: {enforcer.fault[1]}")
    guards = _guards(plan, enforcer)
    telemetry = Telemetry(enforcer) if watched else None

    def reload() -> None:
        # The mappings have to fit the new bundle before it is in force, and nothing is in force by halves.
        new = Enforcer.open(plan.bundle, key=plan.key, unproved=plan.unproved, promised=plan.promised)
        if new.fault is not None:
            raise ServeError(new.fault[1])
        found = _guards(plan, new)
        enforcer.reload(plan.bundle)
        for host, guard in found.items():
            guards[host] = Guard(enforcer, guard.mapping)

    return Service(
        enforcer,
        guards,
        _bearers(plan.tokens),
        None if plan.state == MEMORY else ThreadPoolExecutor(THREADS, "policyctl"),
        reload,
        telemetry.collect if telemetry is not None else None,
        base,
    )


def _guards(plan: Plan, enforcer: Enforcer) -> dict[str, Guard]:
    found: dict[str, Guard] = {}
    assert enforcer.policies is not None
    for name in plan.mappings:
        path = SHIPPED / f"{name}.toml" if name in shipped() else Path(name)
        try:
            mapping = read_mapping(path.read_text(encoding="utf-8"), name)
            check(mapping, enforcer.policies, name)
        except (OSError, UnicodeDecodeError) as error:
            raise ServeError(
                f"the mapping `{name}` cannot be read ({error}); those that ship: {', '.join(shipped())}"
            ) from error
        except MappingError as error:
            raise ServeError(str(error)) from error
        if not mapping.host or mapping.host in found:
            raise ServeError(f"{name}: `host` is {'missing' if not mapping.host else 'that of another mapping'}")
        found[mapping.host] = Guard(enforcer, mapping)
    return found


def _bearers(path: Path | None) -> tuple[Bearer, ...]:
    if path is None:
        return ()
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ServeError(f"{path}: others may write to it, and so make themselves tokens")
        return read_tokens(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, TokenError) as error:
        raise ServeError(f"{path}: {error}") from error


def on_path(path: Path, mode: int) -> socket.socket:
    """A unix socket that listens at `path`, which only who has the rights of `mode` can reach. Raises `ServeError`."""
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise ServeError(f"{path}: somebody listens there already")
        path.unlink()  # left behind by one that has ended
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # SOUND: it is made with these rights, and does not get them a moment later.
    before = os.umask(0o777 & ~mode)
    try:
        found.bind(str(path))
    except OSError as error:
        found.close()
        raise ServeError(f"{path}: {error.strerror or error}") from error
    finally:
        os.umask(before)
    found.listen(4096)
    return found


def on_port(host: str, port: int) -> socket.socket:
    """A socket that listens at a host and port. Raises `ServeError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=4096)
    except OSError as error:
        raise ServeError(f"{host}:{port}: {error.strerror or error}") from error


def run(service: Service, listening: Sequence[socket.socket], ready: Callable[[], None]) -> None:
    """Answer until the process is told to end; SIGHUP reloads. `ready` is called when the first request is taken."""
    import uvicorn

    from hosts.app import application

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            # In the loop, and not whenever the signal comes: in the midst of a decision, say.
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, service)
            ready()

    config = uvicorn.Config(
        application(service),
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=5,
        backlog=4096,
    )
    server = Server(config)
    # The server raises again what ended it, and what was begun here has to be ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.run(list(listening))
    finally:
        if service.threads is not None:
            service.threads.shutdown()
        service.enforcer.close()


def _reload(service: Service) -> None:
    import logging

    log = logging.getLogger("policyctl")
    try:
        if service.reload is not None:
            service.reload()
        log.warning("reloaded")
    except (ValueError, OSError) as error:
        log.error("not reloaded, nothing has changed: %s", error)


def unlink(path: Path) -> None:
    """Remove the socket of a sidecar that has ended."""
    with suppress(OSError):
        path.unlink()
