"""Families of q(τ): what inference is allowed to believe; one a file."""

from ppl_control.guides.custom import Custom
from ppl_control.guides.fixed_dynamics import FixedDynamics
from ppl_control.guides.unconstrained import Unconstrained

__all__ = ["Custom", "FixedDynamics", "Unconstrained"]
