"""The enforcer in somebody's program: files, clock and names from the outside world, handed to `runtime.enforcer`."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from policyctl.clock import milliseconds
from policydsl.core.types import Value
from runtime.bundle import Bundle, BundleError, read
from runtime.decision import Decision
from runtime.enforcer import Enforcer as _Enforcer
from runtime.heads import SigningError, key_id, read_public
from runtime.meter import Meter
from runtime.open_store import open_store
from runtime.policies import Policies, start
from runtime.reservations import Reservation, reserve, sweep
from runtime.settings import Handler, Settings
from runtime.store import Store, StoreError

P = ParamSpec("P")
R = TypeVar("R")
MEMORY = "memory:"


class DeniedError(PermissionError):
    """Raised by a guarded function instead of doing its work. `decision` says why."""

    def __init__(self, decision: Decision) -> None:
        reason = f": {decision.reason}" if decision.reason else ""
        super().__init__(f"{decision.code.value}{reason}")
        self.decision = decision


class Enforcer(_Enforcer):
    """Decides requests under the policies of a bundle. Threads may share one; processes share its store."""

    _key: str | Path | None = None

    @classmethod
    def open(
        cls,
        bundle: str | Path,
        state: str | Path = "governance.db",
        *,
        durability: str = "each",
        key: str | Path | None = None,
        handlers: Mapping[str, Handler] | None = None,
        promised: Iterable[str] = (),
        given: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        approvals: bool = True,
        may_approve: Callable[[str, str, Mapping[str, Value]], bool] | None = None,
        officers: Sequence[str] = (),
        unproved: bool = False,
        shadow: bool = False,
        tolerance: float = 1.0,
        retention: float | None = None,
        clock: Callable[[], int] | None = None,
        meter: Meter | None = None,
        sign: str | Path | None = None,
    ) -> Enforcer:
        """Open the bundle in a file, with its state in `state`.

        - `state`: the path of an SQLite file, `postgresql://…` when several gateways share it, or `memory:`, which
          forgets everything when the process ends and keeps no log.
        - `durability`: `each` (what was answered is on the disk), `group` (the same, for many threads), `relaxed`.
        - `key`: a file with a public key (PEM): only a bundle that this key has signed is taken.
        - `sign`: a file with a private key (PEM), with which the head of the decision log is signed now and then.
        - `tolerance`: seconds that the clock may be behind the last decision.
        - `retention`: seconds after which `sweep` forgets keys and ended reservations; None: it never does. It must be
          longer than anybody may retry.
        - the rest: see `runtime.settings.Settings`. `given` and `params` may leave out the name of the policy when
          there is only one.

        Never raises for what is wrong with the bundle or the state: an enforcer that cannot enforce denies everything,
        with a reason, and `fault` has it. Shadow mode and bundles that are not proved are announced as warnings.
        """
        found = read_bundle(bundle, key)
        signer = None
        try:
            signer = None if sign is None else Path(sign).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            found = BundleError(f"the log cannot be signed: {sign}: {error}")
        settings = Settings(
            clock=clock or milliseconds,
            fresh=lambda: os.urandom(12).hex(),
            tolerance=int(tolerance * 1000),
            retention=None if retention is None else int(retention * 1000),
            handlers=dict(handlers or {}),
            promised=frozenset(promised),
            given=_by_policy(given, found),
            params=_by_policy(params, found),
            approvals=approvals,
            may_approve=may_approve,
            officers=tuple(officers),
            unproved=unproved,
            shadow=shadow,
            meter=meter,
            sign=signer,
        )
        where = str(state)
        enforcer = cls(found, None if where == MEMORY else _Late(lambda: open_store(where, durability)), settings)
        enforcer._key = key
        enforcer.announce(bundle)
        return enforcer

    def reload(self, bundle: str | Path | Bundle | BundleError) -> None:
        """Go on under another bundle, in a file, say; see `runtime.enforcer.Enforcer.reload`. Where a key was given to
        `open`, this one must be signed with it, too."""
        if isinstance(bundle, str | Path):
            found = read_bundle(bundle, self._key)
        elif self._key is not None and isinstance(bundle, Bundle) and bundle.signer != _signer(self._key):
            found = BundleError("it was not read with the key that this enforcer trusts")
        else:
            found = bundle
        super().reload(found)
        self.announce("reload" if isinstance(bundle, Bundle) else str(bundle))

    def announce(self, bundle: str | Path) -> None:
        """Say loudly what whoever runs this should know."""
        import logging

        log = logging.getLogger("policyctl")
        if self.fault is not None:
            log.error("%s: everything is denied: %s (%s)", bundle, self.fault[1], self.fault[0].value)
        if self.settings.shadow:
            log.warning("%s: shadow mode: decisions are recorded, and nothing is denied", bundle)
        if self.policies is not None and not self.policies.bundle.verified:
            log.warning("%s: not everything that it promises is proved", bundle)

    def reserve(self, action: str, *, key: str = "", **inputs: Any) -> Reservation:
        """Ask for an action in two phases; see `runtime.reservations`. Use it as a context:

        `with enforcer.reserve("call", principal=…, call=…, most=500) as r:` … `r.commit(cost=120)`
        """
        return reserve(self, action, inputs, key)

    def sweep(self) -> list[tuple[str, Decision]]:
        """Let expire what the policy says is old enough, deny what nobody has answered in time, and forget what is
        older than `retention`; to be called now and then. The reservations that expired, and the answers."""
        self.close_questions()
        expired = sweep(self)
        self.forget()
        return expired

    def guard(self, action: str, **fixed: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorates a function, plain or `async`: called only if `action` is allowed with its arguments as inputs.

        The inputs of the action are the arguments of the same names, and `fixed`. Where the policy redacts an argument,
        the function gets it redacted. Otherwise `DeniedError` is raised. A fixed argument is a `TypeError`, here:
        the function would be called with something else than what was decided about.
        """

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            signature = inspect.signature(function)
            if both := sorted(fixed.keys() & signature.parameters.keys()):
                raise TypeError(f"`{both[0]}` is fixed, and an argument of `{function.__name__}`")

            def ask(*args: P.args, **kwargs: P.kwargs) -> inspect.BoundArguments:
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                wanted = self.inputs_of(action)
                inputs = {n: v for n, v in bound.arguments.items() if n in wanted}
                decision = self.decide_request(action, {**inputs, **fixed})
                if not decision.allowed:
                    raise DeniedError(decision)
                for name, value in () if decision.shadow else decision.transform:
                    # SOUND: what has to be redacted, and is no argument of the function, cannot be kept from it.
                    if name not in bound.arguments:
                        raise DeniedError(decision)
                    bound.arguments[name] = value
                return bound

            if inspect.iscoroutinefunction(function):

                @functools.wraps(function)
                async def guarded_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                    import asyncio

                    bound = await asyncio.to_thread(ask, *args, **kwargs)
                    return await function(*bound.args, **bound.kwargs)

                return guarded_async  # type: ignore[return-value]  # it has the type of what it wraps

            @functools.wraps(function)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
                bound = ask(*args, **kwargs)
                return function(*bound.args, **bound.kwargs)

            return guarded

        return decorate


def read_bundle(path: str | Path, key: str | Path | None = None) -> Bundle | BundleError:
    """The bundle in a file; the error itself, when there is one."""
    try:
        return read(Path(path).read_bytes(), None if key is None else Path(key).read_text(encoding="utf-8"))
    except BundleError as error:
        return error
    except (OSError, UnicodeDecodeError) as error:
        return BundleError(f"{path} cannot be read: {error}")


def _signer(key: str | Path) -> str:
    """The name of a public key in a file; "?" when there is none, so that nothing is signed with it."""
    try:
        return key_id(read_public(Path(key).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, SigningError):
        return "?"


def policies_for_trial(path: str | Path, given: Mapping[str, Any] | None) -> Policies:
    """The policies of a bundle, proved or not, in their initial state. Raises `BundleError` and `SettingsError`."""
    found = read_bundle(path)
    if isinstance(found, BundleError):
        raise found
    return start(found, Settings(milliseconds, str, given=_by_policy(given, found)))


def _by_policy(chosen: Mapping[str, Any] | None, bundle: Bundle | BundleError) -> dict[str, dict[str, Any]]:
    """What is chosen for variables and parameters, by policy. One need not be named where no other has the variable."""
    if not chosen or isinstance(bundle, BundleError):
        return {}
    systems = [p.system for p in bundle.policies]
    names = {s.name: {*(v.name for v in s.state), *(p.name for p in s.params)} for s in systems}
    found: dict[str, dict[str, Any]] = {}
    for name, value in chosen.items():
        owners = [policy for policy, its in names.items() if name in its or len(names) == 1]
        if name in names or len(owners) != 1:
            found[name] = {**found.get(name, {}), **value} if isinstance(value, Mapping) else value
        else:
            found.setdefault(owners[0], {})[name] = value
    return found


class _Late:
    """A store that is opened when it is first needed, and again while that fails."""

    def __init__(self, opener: Callable[[], Store]) -> None:
        self._opener = opener
        self._store: Store | None = None
        self._closed = False

    def hold(self) -> Any:
        if self._closed:
            raise StoreError("the store is closed")
        if self._store is None:
            self._store = self._opener()
        return self._store.hold()

    def close(self) -> None:
        self._closed = True
        if self._store is not None:
            self._store.close()
