"""Contracts on a chain: a node of one's own, the governance contract on it, and roots of decision logs.

Needs the extra `chain` (web3.py), which is loaded when a chain is talked to and not before.
"""
