"""The kinds of guides once bound to a model."""

from __future__ import annotations

from typing import TypeAlias

from ppl_control.guides.custom import CustomGuide
from ppl_control.guides.program import ProgramGuide
from ppl_control.guides.tabular import TabularGuide

__all__ = ["BoundGuide"]

BoundGuide: TypeAlias = TabularGuide | ProgramGuide | CustomGuide
