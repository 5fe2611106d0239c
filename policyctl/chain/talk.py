"""Calls to a contract to what it answers: a receipt with its events, or the policy's own words for why not.

`Chain` is a web3.py connection, whatever is behind it: a node, or an EVM in this process. Nothing is sent of which the
node says that it would be refused, so a denied request costs nothing.
"""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from policyctl.chain.contracts import Compiled
from runtime.evm import quiet

GAS = 15_000_000
"""What a transaction may cost at most: less than the 2^24 of EIP-7825."""
LOCAL = frozenset({1337, 31337, 131277322940537})
"""The chain ids of nodes for trying things out (Ganache, Anvil and Hardhat, eth-tester): their time can be moved."""


_ERROR, _PANIC = bytes.fromhex("08c379a0"), bytes.fromhex("4e487b71")
"""The selectors of what Solidity reverts with by itself: `Error(string)` and `Panic(uint256)`."""


class ChainError(Exception):
    """Something about the chain that the user has to put right. The text says what, and how."""


class DeniedError(Exception):
    """The contract denied a request; the text is the reason in the words of the policy."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that went through."""

    hash: str
    block: int
    at: int
    """The time of its block, in seconds."""
    gas: int
    events: tuple[tuple[str, Mapping[str, Any]], ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """A connection. `w3` is a `web3.Web3`."""

    w3: Any

    @property
    def id(self) -> int:
        return int(self.w3.eth.chain_id)

    @property
    def genesis(self) -> str:
        """The hash of the first block: what tells a chain from one that was begun anew."""
        return "0x" + bytes(self.w3.eth.get_block(0)["hash"]).hex()

    def now(self) -> int:
        """The time of the latest block, in seconds."""
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def wait(self, seconds: int) -> int:
        """Lets more than so many seconds pass on the chain; its time afterwards."""
        if self.id not in LOCAL:
            raise ChainError(f"the time of chain {self.id} cannot be moved: that works with a node of one's own only")
        if self.in_process:
            self._ask("testing_timeTravel", self.now() + seconds + 1)
        else:
            # A second more, for what has to be later than a time and not only as late.
            self._ask("evm_increaseTime", seconds + 1)
            self._ask("evm_mine")
        return self.now()

    @property
    def in_process(self) -> bool:
        return str(self.w3.client_version).startswith("EthereumTester")

    def _ask(self, method: str, *params: Any) -> Any:
        answer = self.w3.provider.make_request(method, list(params))
        if "error" in answer:
            raise ChainError(f"the node refuses `{method}`: {answer['error']}")
        return answer["result"]


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract at a place on a chain."""

    chain: Chain
    compiled: Compiled
    address: str
    at: Any
    """What web3.py makes of it."""

    def read(self, function: str, *arguments: Any) -> Any:
        """What a function that changes nothing returns."""
        return self.at.functions[function](*arguments).call()

    def send(self, sender: str, function: str, *arguments: Any, tried: bool = True) -> Sent:
        """Has a function done in the name of `sender`. Raises `DeniedError`; unless it is tried first, what is denied
        was sent nevertheless, and is on the chain as a transaction that failed."""
        call = self.at.functions[function](*arguments)
        if tried:
            self._try(call, sender, "pending")
        hashed = call.transact({"from": sender, "gas": GAS})
        receipt = self.chain.w3.eth.wait_for_transaction_receipt(hashed)
        if receipt["status"] != 1:
            # If it was tried, somebody was faster: what was possible then no longer was when it was done.
            self._try(call, sender, receipt["blockNumber"])
            raise DeniedError("the transaction failed, and the chain does not say why")
        block = self.chain.w3.eth.get_block(receipt["blockNumber"])
        return Sent(
            "0x" + bytes(hashed).hex(),
            int(receipt["blockNumber"]),
            int(block["timestamp"]),
            int(receipt["gasUsed"]),
            tuple(self._events(receipt["logs"])),
        )

    def logs(self, event: str, first: int, last: int | None = None) -> list[Mapping[str, Any]]:
        """The events of a kind in some blocks, oldest first; up to the latest one unless it is said."""
        found = self.at.events[event]().get_logs(from_block=first, to_block="latest" if last is None else last)
        return [x["args"] for x in found]

    def _try(self, call: Any, sender: str, block: Any) -> None:
        try:
            call.call({"from": sender, "gas": GAS}, block_identifier=block)
        except Exception as error:
            reason = self._reason(error)
            if reason is None:
                raise
            raise DeniedError(reason) from None

    def _reason(self, error: Exception) -> str | None:
        """Why a contract reverted, in the words of the policy; None if it is not about that."""
        data = _data_of(error)
        if data is None:
            return None
        decode = self.chain.w3.codec.decode
        if not data:
            return "it reverted without a reason"
        if data[:4] == _ERROR:
            return str(decode(["string"], data[4:])[0])
        if data[:4] == _PANIC:
            return (
                f"it panicked with 0x{decode(['uint256'], data[4:])[0]:02x}: a check of Solidity's own, as for overflow"
            )
        for one in self.compiled.abi:
            if one["type"] == "error" and _selector(one) == data[:4]:
                given = decode([i["type"] for i in one["inputs"]], data[4:])
                told = ", ".join(map(str, given))
                reason = self.compiled.reasons.get(one["name"], one["name"])
                return f"{reason} ({told})" if told else reason
        return f"it reverted with 0x{data.hex()}"

    def _events(self, logs: Sequence[Any]) -> list[tuple[str, Mapping[str, Any]]]:
        from eth_utils.abi import event_abi_to_log_topic

        kinds = {bytes(event_abi_to_log_topic(x)): x["name"] for x in self.compiled.abi if x["type"] == "event"}  # type: ignore[arg-type]
        found = []
        for one in logs:
            name = kinds.get(bytes(one["topics"][0])) if one["address"] == self.address else None
            if name is not None:
                found.append((name, self.at.events[name]().process_log(one)["args"]))
        return found


def contract_at(chain: Chain, compiled: Compiled, address: str) -> Contract:
    """The contract there. Raises `ChainError` if it is not this one."""
    address = chain.w3.to_checksum_address(address)
    code = bytes(chain.w3.eth.get_code(address))
    if not code:
        raise ChainError(f"there is no contract at {address}: this is another chain, or it was begun anew")
    if not compiled.is_code(code):
        raise ChainError(
            f"the contract at {address} is not the {compiled.name} that ships with this version: "
            "its code differs. `policyctl chain up` deploys the one that does"
        )
    return Contract(chain, compiled, address, chain.w3.eth.contract(address=address, abi=list(compiled.abi)))


def deploy(chain: Chain, compiled: Compiled, sender: str, *arguments: Any) -> Contract:
    """A new contract. Raises `DeniedError` if its constructor refuses."""
    made = chain.w3.eth.contract(abi=list(compiled.abi), bytecode=compiled.bytecode)
    hashed = made.constructor(*arguments).transact({"from": sender, "gas": GAS})
    receipt = chain.w3.eth.wait_for_transaction_receipt(hashed)
    if receipt["status"] != 1:
        raise DeniedError(f"{compiled.name} could not be deployed: its constructor refuses")
    return contract_at(chain, compiled, receipt["contractAddress"])


def over_http(url: str) -> Chain:
    """The chain of a node. Raises `ChainError` when none answers."""
    web3 = load_web3()
    chain = Chain(web3.Web3(web3.HTTPProvider(url, request_kwargs={"timeout": 30})))
    if not chain.w3.is_connected():
        raise ChainError(f"no node answers at {url}: `policyctl chain up` starts one")
    return chain


def in_process() -> Chain:
    """A new chain in this process, with eth-tester: gone when the process is."""
    web3 = load_web3()
    _need("eth_tester")
    with quiet():
        import eth_tester  # type: ignore[import-not-found, import-untyped, unused-ignore]

        tester = eth_tester.EthereumTester(eth_tester.PyEVMBackend())
        return Chain(web3.Web3(web3.EthereumTesterProvider(tester)))


def load_web3() -> Any:
    """The module, loaded without what its dependencies warn about. Raises `ChainError` when it is not installed."""
    _need("web3")
    with quiet():
        import web3

        return web3


def instant(seconds: int) -> str:
    """A time of the chain, for people."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        # Whoever lets time pass may come to years of five digits.
        return f"{seconds:,} s after 1970"


def _need(module: str) -> None:
    if find_spec(module) is None:
        raise ChainError(f"`{module}` is missing: pip install 'policyctl[chain]'")


def _selector(error: Mapping[str, Any]) -> bytes:
    from eth_utils.abi import function_abi_to_4byte_selector

    return bytes(function_abi_to_4byte_selector(error))  # type: ignore[arg-type]


def _data_of(error: Exception) -> bytes | None:
    """What a contract returned when it reverted, out of what web3.py and eth-tester make of it; None if it did not."""
    data = getattr(error, "data", None)
    if isinstance(data, Mapping):
        data = data.get("data")  # as Hardhat has it
    if isinstance(data, str) and data.startswith("0x"):
        return bytes.fromhex(data[2:])
    text = str(error)
    if type(error).__name__ not in {"TransactionFailed", "ContractLogicError"}:
        return None
    try:
        told = literal_eval(text.rpartition("reverted: ")[2])
    except (ValueError, SyntaxError):
        return b""
    return told if isinstance(told, bytes) else b""
