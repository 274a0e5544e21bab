"""Control as variational inference: decision problems as Pyro programs, guides to swap, exact ground truth.

The names stand in the order in which data flows: mdp → trajectory → guides → inference → evaluation → comparison.
"""

from ppl_control.mdp import TabularMDP
from ppl_control.trajectory import TrajectoryModel
from ppl_control import guides, policies
from ppl_control.inference import (
    SVI,
    DivergenceError,
    MessagePassing,
    SoftValueIteration,
    Solution,
    infer,
)
from ppl_control.evaluation import Evaluation, evaluate

__all__ = [
    "TabularMDP",
    "TrajectoryModel",
    "policies",
    "guides",
    "infer",
    "MessagePassing",
    "SoftValueIteration",
    "SVI",
    "Solution",
    "DivergenceError",
    "evaluate",
    "Evaluation",
]
