"""What the world is: p(s₀), p(s'|s,a) and r."""

from ppl_control.mdp.continuous import ContinuousMDP
from ppl_control.mdp.differentiable import DifferentiableMDP
from ppl_control.mdp.environment import MDPEnvironment
from ppl_control.mdp.gaussian import Gaussian
from ppl_control.mdp.layout import GridLayout
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.mdp.outcomes import Outcomes
from ppl_control.mdp.simulator import SimulatorMDP
from ppl_control.mdp.tabular import TabularMDP

__all__ = [
    "ContinuousMDP",
    "DifferentiableMDP",
    "Gaussian",
    "GridLayout",
    "LinearGaussianMDP",
    "MDPEnvironment",
    "Outcomes",
    "SimulatorMDP",
    "TabularMDP",
]
