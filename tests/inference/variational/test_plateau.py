"""Good news that needs many steps to travel back: the bound rests while the fit is far from done."""

import pytest
import torch

from ppl_control import SVI, SoftValueIteration, TabularMDP, TrajectoryModel, infer
from ppl_control.guides import FixedDynamics, Unconstrained


def lock(length: int, prize: float) -> TrajectoryModel:
    """A combination lock: one action goes on, the other stays; only the last step pays."""
    outcomes = [
        [[(1.0, s, 0.0, False)], [(1.0, s + 1, prize * (s == length - 1), s == length - 1)]] for s in range(length)
    ]
    mdp = TabularMDP.from_outcomes([*outcomes, [[], []]], torch.eye(length + 1)[0])
    return TrajectoryModel(mdp, horizon=length, action_prior="uniform")


@pytest.mark.parametrize("guide", [FixedDynamics(), Unconstrained()], ids=repr)
@pytest.mark.parametrize(("length", "prize"), [(60, 100.0), (100, 200.0)])
def test_the_lock_is_opened(guide, length: int, prize: float):
    model = lock(length, prize)
    best = infer(model, SoftValueIteration()).log_evidence_bound
    solution = infer(model, SVI(guide), progress=False)
    assert solution.log_evidence_bound == pytest.approx(best, rel=1e-9)
    assert solution.history["bound"][2] < 1e-6  # the plateau
