"""What the world is: p(s₀), p(s'|s,a) and r."""

from ppl_control.mdp.layout import GridLayout
from ppl_control.mdp.outcomes import Outcomes
from ppl_control.mdp.tabular import TabularMDP

__all__ = ["GridLayout", "Outcomes", "TabularMDP"]
