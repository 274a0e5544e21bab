"""Control as variational inference: decision problems as Pyro programs, guides to swap, exact ground truth.

The names stand in the order in which data flows: mdp → trajectory → guides → inference → evaluation → inverse →
comparison → sweep.
"""

from ppl_control.mdp import DifferentiableMDP, LinearGaussianMDP, SimulatorMDP, TabularMDP
from ppl_control.trajectory import TrajectoryModel
from ppl_control import guides, policies
from ppl_control.inference import (
    SVI,
    DivergenceError,
    FamilyOptimum,
    MessagePassing,
    ParticlePlanning,
    RecedingHorizon,
    SoftActorCritic,
    SoftPolicyGradient,
    SoftQLearning,
    SoftValueIteration,
    Solution,
    infer,
    messages,
    noise_posterior,
)
from ppl_control.inference.saving import load
from ppl_control.evaluation import Evaluation, evaluate
from ppl_control import callbacks, inverse
from ppl_control.plotting import plot_graph
from ppl_control.comparison import Comparison, compare
from ppl_control.sweeps import sweep

__all__ = [
    "TabularMDP",
    "LinearGaussianMDP",
    "DifferentiableMDP",
    "SimulatorMDP",
    "TrajectoryModel",
    "policies",
    "guides",
    "infer",
    "MessagePassing",
    "SoftValueIteration",
    "FamilyOptimum",
    "SVI",
    "ParticlePlanning",
    "RecedingHorizon",
    "SoftQLearning",
    "SoftPolicyGradient",
    "SoftActorCritic",
    "messages",
    "noise_posterior",
    "Solution",
    "load",
    "DivergenceError",
    "evaluate",
    "Evaluation",
    "callbacks",
    "inverse",
    "plot_graph",
    "compare",
    "sweep",
    "Comparison",
]
