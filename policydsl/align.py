"""From laid-out lines to text: columns that the author aligned on neighbouring lines are aligned again.

Pieces of one kind belong together when they stood in the same column of lines between which no line is blank, and at
least one of them had more space before it than it needs.
"""

from __future__ import annotations

from collections.abc import Sequence

from policydsl.layout import Line, Piece

_KINDS = {"ASSIGN": "IS", "INCREASE": "IS", "DECREASE": "IS", "NUMBER": "NAME", "STRING": "NAME", "DURATION": "NAME"}
_Place = tuple[int, int]  # line, piece


def aligned(lines: Sequence[Line]) -> list[str]:
    columns = _columns(lines, _groups(lines))
    out: list[str] = []
    for number, line in enumerate(lines):
        text = " " * line.indent
        for at, piece in enumerate(line.pieces):
            text = (text.ljust(columns[number, at]) if at else text) + piece.text
        out.append(text)
    return out


def _groups(lines: Sequence[Line]) -> list[list[_Place]]:
    """Places to align; each place is in at most one group."""
    groups: dict[tuple[int, int, str], list[_Place]] = {}
    paragraph = 0
    for number, line in enumerate(lines):
        paragraph += line.after_blank
        for at, piece in enumerate(line.pieces):
            if at and piece.space and piece.gap:
                key = (paragraph, piece.column, _KINDS.get(piece.type, piece.type))
                groups.setdefault(key, []).append((number, at))
    return [g for g in groups.values() if len(g) > 1 and any(_piece(lines, p).gap > _piece(lines, p).space for p in g)]


def _piece(lines: Sequence[Line], place: _Place) -> Piece:
    return lines[place[0]].pieces[place[1]]


def _columns(lines: Sequence[Line], groups: list[list[_Place]]) -> dict[_Place, int]:
    """Where each piece goes: after the one before it, and not before any other of its group.

    A round moves pieces only to the right. All lines have the groups of their paragraph in the same order, so no two
    groups push each other, and there are at most as many rounds as groups on a line.
    """
    group_of = {place: number for number, group in enumerate(groups) for place in group}
    goals = [0] * len(groups)
    columns: dict[_Place, int] = {}
    moved = True
    while moved:
        moved = False
        for number, line in enumerate(lines):
            column = line.indent
            for at, piece in enumerate(line.pieces):
                column += piece.space if at else 0
                place = (number, at)
                group = group_of.get(place)
                if group is not None:
                    if column > goals[group]:
                        goals[group], moved = column, True
                    column = goals[group]
                columns[place] = column
                column += len(piece.text)
    return columns
