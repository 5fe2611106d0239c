"""The entry point: arguments of the process to an exit code. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> int:
    """Run `policyctl` and return its exit code; `--version` and `hook` do without loading the command line."""
    given = sys.argv[1:] if arguments is None else arguments
    if given == ["--version"]:
        from policyctl import __version__

        sys.stdout.write(f"policyctl {__version__}\n")
        return 0
    if given[:1] == ["hook"]:
        from policyctl.hook import main as hook

        return hook(given[1:])
    try:
        from policyctl.cli import run

        return run(given)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
