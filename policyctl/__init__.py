"""The command line: arguments to calls of the other packages, results to text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from policyctl.embed import DeniedError, Enforcer

__all__ = ["DeniedError", "Enforcer", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The enforcer is loaded when it is asked for: the command line does without."""
    if name in {"Enforcer", "DeniedError"}:
        from policyctl import embed

        return getattr(embed, name)
    raise AttributeError(f"module `policyctl` has no `{name}`")
