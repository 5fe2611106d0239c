"""The four layers of governance: protocol, community, agent and meta.

Proposals go up, from bots through the community to the protocol; decisions come down; emergencies pass by all layers.
"""
