"""Syntax to core: names, types, elaboration, lints."""
