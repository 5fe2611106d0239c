"""Code and calls to what an Ethereum virtual machine in this process answers: py-evm, without a chain around it.

Needs the extra `chain`. Every transaction is in a block of its own choosing: the time stamp is an argument.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

GAS = 2**24
"""What EIP-7825 grants one transaction."""
PRICE = 2_000_000_000


class EvmError(Exception):
    """There is no machine, or a run that no chain could make."""


@dataclass(frozen=True, slots=True)
class Event:
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction did. `output` is what was returned, or the data of the reason to revert."""

    ok: bool
    output: bytes
    gas: int
    events: tuple[Event, ...]
    created: bytes


@contextmanager
def quiet() -> Iterator[None]:
    """To load libraries for Ethereum in: their warnings stay unsaid, and Python's limit of recursion as it was.

    They raise it to 100,000, with which deeply nested JSON from outside ends the process instead of in an error.
    """
    limit = sys.getrecursionlimit()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.setrecursionlimit(limit)


class Evm:
    """An empty chain of the Cancun rules. `largest` is what a transaction may cost."""

    def __init__(self, largest: int = GAS) -> None:
        try:
            with quiet():
                from eth.chains.base import MiningChain
                from eth.constants import CREATE_CONTRACT_ADDRESS, ZERO_ADDRESS
                from eth.db.atomic import AtomicDB
                from eth.vm.forks.cancun import CancunVM
                from eth.vm.spoof import SpoofTransaction
        except ImportError as fault:
            raise EvmError("py-evm is not installed: the extra `chain`, pip install 'policyctl[chain]'") from fault
        # Sizes that are those of no header: all that matters is that they exist.
        genesis = {"difficulty": 0, "gas_limit": 2 * largest, "timestamp": 0, "coinbase": ZERO_ADDRESS}
        genesis |= {"nonce": bytes(8), "mix_hash": bytes(32), "extra_data": b""}
        rules: Any = MiningChain.configure(vm_configuration=((0, CancunVM),), chain_id=1)
        self._vm: Any = rules.from_genesis(AtomicDB(), genesis).get_vm()
        self._nowhere: bytes = CREATE_CONTRACT_ADDRESS
        self._from: Any = SpoofTransaction
        self._largest = largest

    def deploy(self, sender: bytes, code: bytes, at: int = 0) -> Receipt:
        """Make a contract of `code`, the arguments of its constructor behind it."""
        return self.send(sender, self._nowhere, code, at)

    def send(self, sender: bytes, to: bytes, data: bytes, at: int) -> Receipt:
        """A transaction in a block of the time `at`, in seconds."""
        state = self._vm.state
        state.lock_changes()
        header = self._vm.get_header().copy(timestamp=at)
        state.execution_context = self._vm.create_execution_context(header, (), self._vm.chain_context)
        rich = 10**30
        state.set_balance(sender, rich)
        nonce = state.get_nonce(sender)
        unsigned = self._vm.create_unsigned_transaction(
            nonce=nonce, gas_price=PRICE, gas=self._largest, to=to, value=0, data=data
        )
        done = state.apply_transaction(self._from(unsigned, from_=sender))
        gas = (rich - state.get_balance(sender)) // PRICE
        events = tuple(
            Event(tuple(t.to_bytes(32, "big") for t in topics), told)
            for _, _, topics, told in (done.get_raw_log_entries() if done.is_success else ())
        )
        return Receipt(done.is_success, bytes(done.output), gas, events, bytes(done.msg.storage_address))

    def read(self, to: bytes, data: bytes) -> bytes:
        """What a call returns that changes nothing."""
        state = self._vm.state
        before = state.snapshot()
        try:
            done = self._vm.execute_bytecode(
                origin=bytes(20), gas_price=PRICE, gas=self._largest, to=to, sender=bytes(20), value=0, data=data,
                code=state.get_code(to),
            )  # fmt: skip
        finally:
            state.revert(before)
        if done.is_error:
            raise EvmError(f"the contract does not answer: {done.error}")
        return bytes(done.output)
