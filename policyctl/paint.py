"""Text with or without colour: the one place that knows the escape sequences of terminals."""

from __future__ import annotations

from dataclasses import dataclass

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
    "bold red": "1;31",
    "bold yellow": "1;33",
    "bold blue": "1;34",
    "bold cyan": "1;36",
}


@dataclass(frozen=True, slots=True)
class Paint:
    """Calling it wraps a text in a style, or leaves it alone when `colour` is off."""

    colour: bool = False

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.colour and text else text


PLAIN = Paint()


def wants_colour(is_terminal: bool, environment: dict[str, str]) -> bool:
    """Colour only on terminals, and never against the user's will: NO_COLOR wins over everything but an empty value."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return is_terminal and environment.get("TERM") != "dumb"
