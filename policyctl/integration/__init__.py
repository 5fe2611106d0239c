"""Everything at once: the twin and its agents, meta-governance, and the contract on a chain.

This is what `policyctl demo integration` shows; it is on this level since it needs a verifier, a simulator and a node.
"""
