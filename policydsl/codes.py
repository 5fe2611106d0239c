"""Every diagnostic code with its page, gathered from the `pages_*` modules of the passes that use them."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import policydsl
from policydsl.page import Page


def _collect() -> dict[str, Page]:
    found: dict[str, Page] = {}
    for module in iter_modules(policydsl.__path__):
        if module.name.startswith("pages_"):
            pages: dict[str, Page] = import_module(f"policydsl.{module.name}").PAGES
            found |= pages
    return dict(sorted(found.items()))


CODES: dict[str, Page] = _collect()
