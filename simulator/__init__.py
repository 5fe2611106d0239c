"""The simulator: whole populations of bots under a policy, from a seed to metrics."""
