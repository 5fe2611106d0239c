"""What `policyctl chain up` did, to a small file and back: by it the other commands find the node and the contracts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from policyctl.chain.talk import ChainError
from policyctl.files import write_atomically

DIRECTORY = ".policyctl-chain"
FORMAT = "policyctl-chain/1"
_FILE = "chain.json"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Contracts on a chain, and the names of those who act there."""

    url: str
    chain: int
    genesis: str
    block: int
    """In which the contracts stand since."""
    governance: str
    anchor: str
    digests: Mapping[str, str]
    """Of the bytecode that was deployed, by the name of the contract."""
    people: Mapping[str, str]
    """Names to addresses."""
    operator: str
    """Who deployed: the only one who may anchor."""
    node: str = ""
    """The node that was started for this, and its process; empty and 0 if it was there before."""
    process: int = 0


def read(directory: Path) -> Deployment:
    """Raises `ChainError` when nothing was deployed from there."""
    path = directory / _FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.pop("format") != FORMAT:
            raise ValueError
        return Deployment(**data)
    except FileNotFoundError:
        raise ChainError(f"there is no {path}: `policyctl chain up` starts a node and deploys the contracts") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ChainError(f"{path} is not what `policyctl chain up` writes; remove it") from None


def write(directory: Path, found: Deployment) -> None:
    text = json.dumps({"format": FORMAT, **asdict(found)}, indent=1)
    write_atomically(directory / _FILE, f"{text}\n")


def exists(directory: Path) -> bool:
    return (directory / _FILE).exists()


def remove(directory: Path) -> None:
    (directory / _FILE).unlink(missing_ok=True)
