"""Calls of other programs to requests of a policy, and its decisions back in the words of those programs."""
