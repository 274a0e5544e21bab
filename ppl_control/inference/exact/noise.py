"""What a linear-Gaussian solution believes of the noise."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.guides.affine import AffineGaussianDynamics
from ppl_control.guides.continuous import ContinuousGuide
from ppl_control.inference.base import Solution
from ppl_control.inference.exact.moments import noise_marginals
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.policies.linear_gaussian import LinearGaussianPolicy, tabulate_linear_gaussian
from ppl_control.settings import shown

__all__ = ["noise_posterior"]


@torch.no_grad()
def noise_posterior(solution: Solution) -> tuple[Float[Tensor, "T n"], Float[Tensor, "T n n"]]:
    """Mean and covariance of w_t = x_{t+1} − A x_t − B u_t under a solution: where luck is believed to push.

    Of an exact posterior these are its marginals; under fixed dynamics the mean is 0 and the covariance W.

    Args:
        solution: of ``MessagePassing`` or ``SoftValueIteration``, or an SVI fit of a linear-Gaussian policy with the
            dynamics fixed, on a linear-Gaussian model.

    Raises:
        ValueError: another solution.

    Example:
        >>> from ppl_control import LinearGaussianMDP, MessagePassing, TrajectoryModel, infer
        >>> mdp = LinearGaussianMDP(1.0, 1.0, 0.3, 1.0, 0.5, initial_mean=[2.0], final_state_cost=1.0)
        >>> mean, _ = noise_posterior(infer(TrajectoryModel(mdp, horizon=5), MessagePassing()))
        >>> mean[0].tolist()
        [-0.355953]
    """
    if not isinstance(solution, Solution):
        raise ValueError(f"solution: expected what infer returned, got {shown(solution)}")
    guide, mdp = solution.guide, solution.model.mdp
    fits = isinstance(guide, ContinuousGuide) and isinstance(guide.policy, LinearGaussianPolicy)
    if not (fits and isinstance(mdp, LinearGaussianMDP) and isinstance(guide.believed, AffineGaussianDynamics | None)):
        raise ValueError(f"solution: expected a linear-Gaussian one, got {solution!r} of {solution.model!r}")
    horizon = solution.model.horizon
    assert horizon is not None
    dynamics = AffineGaussianDynamics.of(mdp, horizon) if guide.believed is None else guide.believed
    policy = tabulate_linear_gaussian(guide.policy, mdp.state_dim, mdp.action_dim, horizon)
    return noise_marginals(mdp, dynamics, policy)
