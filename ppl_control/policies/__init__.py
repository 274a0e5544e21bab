"""q(a | s, t): modules whose ``forward(state, t)`` returns a torch Distribution; one family a file."""

from ppl_control.policies.base import Policy
from ppl_control.policies.boltzmann import BoltzmannMLP
from ppl_control.policies.deterministic import Deterministic
from ppl_control.policies.flow import FlowPolicy
from ppl_control.policies.gaussian import GaussianMLP, SquashedGaussianMLP
from ppl_control.policies.linear_gaussian import LinearGaussianPolicy
from ppl_control.policies.mixture import MixtureMLP
from ppl_control.policies.mlp import CategoricalMLP
from ppl_control.policies.tabular import TabularPolicy, tabulate

__all__ = [
    "BoltzmannMLP",
    "CategoricalMLP",
    "Deterministic",
    "FlowPolicy",
    "GaussianMLP",
    "LinearGaussianPolicy",
    "MixtureMLP",
    "Policy",
    "SquashedGaussianMLP",
    "TabularPolicy",
    "tabulate",
]
