"""The command line: arguments to calls of the other packages, results to text."""

__version__ = "0.1.0"
