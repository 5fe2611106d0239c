"""The governance contract by the words of its policy: actions with their inputs as text, proposals as data."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policyctl.chain.contracts import ANCHOR, GOVERNANCE, Action, Param, shipped
from policyctl.chain.state import Deployment
from policyctl.chain.talk import Chain, ChainError, Contract, Sent, contract_at, deploy

MEMBERS = ("alice", "bob", "carol", "dave")
AUDITORS = ("judy",)
STRANGERS = ("eve",)
OPERATOR = "operator"
"""Who deploys, and anchors; the policy knows nothing of it."""

_DIGITS = 78
"""Of 2^256: so many digits are too many, or may be."""
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+)\s*([a-z]+)")
_YES = {"yes": True, "good": True, "true": True, "no": False, "bad": False, "false": False}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the contract knows of a proposal. Times are in seconds, and 0 when they are not known yet."""

    number: int
    stage: str
    proposer: str
    text: str
    yes: int
    no: int
    voting_ends: int
    ready: int


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    address: str
    reputation: int
    standing: str
    """`auditor`, `member` or `stranger`."""


@dataclass(frozen=True, slots=True)
class Governance:
    """The contracts of a deployment."""

    found: Deployment
    chain: Chain
    contract: Contract
    anchor: Contract

    def act(self, name: str, given: Sequence[str], who: str, tried: bool = True) -> Sent:
        """Has an action of the policy done. Raises `DeniedError` with the reason, and `ChainError` for other words."""
        action = action_named(name)
        if len(given) != len(action.inputs):
            inputs = " ".join(n.upper() for n, _ in action.inputs)
            raise ChainError(f"`{name}` takes {len(action.inputs)} inputs, and {len(given)} are given: {name} {inputs}")
        arguments = [self._argument(kind, text) for (_, kind), text in zip(action.inputs, given, strict=True)]
        return self.contract.send(self._asker(who), action.function, *arguments, tried=tried)

    def propose(self, text: str, who: str) -> tuple[int, Sent]:
        """Drafts, submits and opens a proposal; its number."""
        sent = self.contract.send(self._asker(who), "propose", text)
        return next(int(values["proposal"]) for event, values in sent.events if event == "Described"), sent

    def proposals(self) -> list[Proposal]:
        """All that were ever drafted, in that order."""
        return [self.proposal(int(x["proposal"])) for x in self.contract.logs("Draft", self.found.block)]

    def proposal(self, number: int) -> Proposal:
        read = self.contract.read
        _, text, _, ends, yes, no, _ = read("proposals", number)
        return Proposal(
            number,
            self.stage(number),
            self.name(read("proposer", number)),
            text,
            yes,
            no,
            ends,
            read("readyAt", number) // 1000,
        )

    def stage(self, number: int) -> str:
        return shipped().enums["Stage"][int(self.contract.read("stage", number))]

    def members(self) -> list[Member]:
        return [self._member(name, address) for name, address in self.found.people.items()]

    def _member(self, name: str, address: str) -> Member:
        read = self.contract.read
        standing = "auditor" if read("auditors", address) else "member" if read("members", address) else "stranger"
        return Member(name, address, read("reputation", address), standing)

    def reputation(self, who: str) -> int:
        return int(self.contract.read("reputation", self.address(who)))

    def parameters(self) -> dict[str, int]:
        return {p.name: self.contract.read(p.name) for p in shipped().params}

    def address(self, who: str) -> str:
        """Of somebody by name, or the address itself."""
        if who in self.found.people:
            return self.found.people[who]
        if self.chain.w3.is_address(who):
            return str(self.chain.w3.to_checksum_address(who))
        raise ChainError(f"`{who}` is neither an address nor somebody's name{_close(who, self.found.people)}")

    def _asker(self, who: str) -> str:
        """The address of somebody in whose name the node can ask."""
        address = self.address(who)
        if address not in self.found.people.values() and address not in self.chain.w3.eth.accounts:
            raise ChainError(f"the node has no key of {address}, so nothing can be asked in its name")
        return address

    def name(self, address: str) -> str:
        return next((n for n, a in self.found.people.items() if a == address), address)

    def _argument(self, kind: str, text: str) -> object:
        match kind:
            case "Bot":
                return self.address(text)
            case "Bool" if text in _YES:
                return _YES[text]
            case "Proposal" if text.isascii() and text.isdigit() and len(text) < _DIGITS:
                return int(text)
            case "Payload":
                # As `propose` has it: a text stands for itself by its hash.
                return bytes(self.chain.w3.keccak(text=text))
            case _:
                wanted = {"Bool": "`yes` or `no`", "Proposal": "the number of a proposal"}.get(kind, f"a {kind}")
                raise ChainError(f"expected {wanted}, not `{text}`")


def action_named(name: str) -> Action:
    """Raises `ChainError` for what is no action of the policy."""
    actions = shipped().actions
    if name not in actions:
        raise ChainError(f"`{name}` is no action of {shipped().module}{_close(name, actions)}")
    return actions[name]


def deploy_all(
    chain: Chain,
    url: str,
    members: Sequence[str] = MEMBERS,
    auditors: Sequence[str] = AUDITORS,
    parameters: Mapping[str, int] | None = None,
) -> Deployment:
    """Both contracts, and the accounts of the node given names: the first is the operator's."""
    names = [OPERATOR, *members, *auditors, *STRANGERS]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ChainError(f"two of those who act are called {', '.join(f'`{n}`' for n in twice)}")
    accounts = list(chain.w3.eth.accounts)
    if len(accounts) < len(names):
        raise ChainError(f"the node has {len(accounts)} accounts of its own, and {len(names)} are needed")
    people = dict(zip(names, accounts, strict=False))
    ships = shipped()
    chosen = {p.name: p.default for p in ships.params} | dict(parameters or {})
    block = int(chain.w3.eth.block_number) + 1
    governance = deploy(
        chain,
        ships.contracts[GOVERNANCE],
        people[OPERATOR],
        tuple(chosen[p.name] for p in ships.params),
        [people[n] for n in members],
        [people[n] for n in auditors],
    )
    anchor = deploy(chain, ships.contracts[ANCHOR], people[OPERATOR])
    digests = {name: c.digest for name, c in ships.contracts.items()}
    known = {n: a for n, a in people.items() if n != OPERATOR}
    return Deployment(
        url, chain.id, chain.genesis, block, governance.address, anchor.address, digests, known, people[OPERATOR]
    )


def governance_at(chain: Chain, found: Deployment) -> Governance:
    """Raises `ChainError` unless the chain is the one that was deployed to, and the contracts are those that ship."""
    if chain.id != found.chain:
        raise ChainError(f"the node at {found.url} has the chain {chain.id}, and the contracts are on {found.chain}")
    if chain.genesis != found.genesis:
        raise ChainError(f"the chain at {found.url} was begun anew: `policyctl chain up` deploys to it again")
    for name, compiled in shipped().contracts.items():
        if found.digests.get(name) != compiled.digest:
            raise ChainError(
                f"another version of {name} was deployed than ships with this version of policyctl: "
                "`policyctl chain down`, then `policyctl chain up`"
            )
    contracts = shipped().contracts
    governance = contract_at(chain, contracts[GOVERNANCE], found.governance)
    return Governance(found, chain, governance, contract_at(chain, contracts[ANCHOR], found.anchor))


def parameter(setting: str) -> tuple[str, int]:
    """`QUORUM=200` or `VOTING_PERIOD=1h` to the name and the number that the contract has. Raises `ChainError`."""
    name, given, text = (part.strip() for part in setting.partition("="))
    params: dict[str, Param] = {p.name: p for p in shipped().params}
    if not given or name not in params:
        raise ChainError(f"`{name}` is no parameter of {shipped().module}{_close(name, params)}")
    value = milliseconds(text) if not text.lstrip("-").isdigit() else int(text)
    low, high = params[name].low, params[name].high
    if not low <= value <= high:
        raise ChainError(f"`{name}` was proved for {low} to {high}, and {value} is outside")
    return name, value


def milliseconds(text: str) -> int:
    """`24h`, `90 s`, `2d`. Raises `ChainError`."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or match[2] not in _UNITS:
        raise ChainError(f"`{text}` is no duration: 30s, 5m, 24h and 7d are")
    return int(match[1]) * _UNITS[match[2]]


def _close(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else f"; there are {', '.join(known)}"
