"""Runs of today are those of yesterday, here and elsewhere; `python tests/golden.py` when they should not be."""

from __future__ import annotations

import json

import pytest

from simulator.scenario import SHIPPED
from tests.golden import FILE, golden


@pytest.mark.parametrize("name", SHIPPED)
def test_hashes_are_what_they_were(name: str) -> None:
    assert golden(name) == json.loads(FILE.read_text(encoding="utf-8"))[name]
