"""The core: three forms of expression and one deterministic transition system."""
