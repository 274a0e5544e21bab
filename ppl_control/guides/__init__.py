"""Families of q(τ): what inference is allowed to believe; one a file."""

from ppl_control.guides import plans
from ppl_control.guides.bound import Recipe
from ppl_control.guides.custom import Custom
from ppl_control.guides.fixed_dynamics import FixedDynamics
from ppl_control.guides.map import MAP
from ppl_control.guides.mean_field import MeanField
from ppl_control.guides.open_loop import OpenLoop
from ppl_control.guides.tabular import TabularGuide
from ppl_control.guides.unconstrained import Unconstrained
from ppl_control.trajectory.tables import GuideTables

__all__ = [
    "MAP",
    "Custom",
    "FixedDynamics",
    "GuideTables",
    "MeanField",
    "OpenLoop",
    "Recipe",
    "TabularGuide",
    "Unconstrained",
    "plans",
]
