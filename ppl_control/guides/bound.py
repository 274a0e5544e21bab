"""What every guide is: a recipe, and what it becomes once bound to a model."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

from ppl_control.guides.continuous import ContinuousGuide
from ppl_control.guides.custom import CustomGuide
from ppl_control.guides.program import ProgramGuide
from ppl_control.guides.simulator import SimulatorGuide
from ppl_control.guides.tabular import TabularGuide
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["BoundGuide", "Recipe"]

BoundGuide: TypeAlias = TabularGuide | ProgramGuide | CustomGuide | ContinuousGuide | SimulatorGuide


@runtime_checkable
class Recipe(Protocol):
    """A family of q(τ), not yet bound to a model: what ``SVI`` takes as a guide.

    One of your own is a frozen dataclass of settings, so that a checkpoint knows which run it belongs to.
    """

    def build(self, model: TrajectoryModel) -> Any:
        """The guide bound to a model: a module with ``model`` and ``policy``, which samples the sites when called.

        Its parameters are what is learned, so that modules a recipe holds are copied here. On tables a ``TabularGuide``
        has the exact bound.

        Args:
            model: what it is to be a guide of.

        Raises:
            ValueError: the family does not serve the model.
        """
