"""What the verifier and the interpreter answer, to words for the renderers."""

from __future__ import annotations

from policyctl.results import PropertyView, StepView, TraceView, VacuityView
from policydsl.core.expr import Op, Space, refs, subterms
from policydsl.core.expr import Apply as ApplyExpr
from policydsl.core.system import Origin, Property, System
from policydsl.core.types import EntityType, MapType
from policydsl.to_words import call_words, cell_words, expr_words, value_words
from policydsl.trace import Change, Step, Trace
from policydsl.trace_json import to_json
from verifier.verdict import Outcome, Proved, Refuted, Unknown, Vacuity, Witnessed
