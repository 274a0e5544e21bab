"""A guide bound to a continuous model: its policy and, where it is free to, its own beliefs about the world."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ppl_control.randomness import RandomStream
from ppl_control.settings import shown, tried
from ppl_control.trajectory.acting import act_by_policy, check_support
from ppl_control.trajectory.continuous_rollout import ContinuousRollout, roll_out, total_gains
from ppl_control.trajectory.handlers import Context, GuideMessenger
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.roles import time_index

__all__ = ["ContinuousGuide"]


class ContinuousGuide(nn.Module):
    """q(s₀) ∏ q(a_t|s_t) q(s_{t+1}|s_t,a_t,t); without beliefs of its own the dynamics are the model's.

    Calling it runs the guide as a per-site Pyro program.

    Args:
        model: a continuous model.
        policy: q(a|s,t), used as it is (a recipe copies it first).
        believed: a module with ``initial(truth)`` and ``transition(state, action, t, truth)``, given the
            model's own distributions; None: the model's.

    Raises:
        ValueError: the policy does not fit the model's states or actions.
    """

    policy: nn.Module

    def __init__(self, model: TrajectoryModel, policy: nn.Module, believed: Any = None) -> None:
        super().__init__()
        self.model, self.policy, self.believed = model, policy, believed
        if getattr(policy, "replans", False):
            return  # a trial would cost whole plans
        with RandomStream(0), torch.no_grad():
            state = model.mdp.initial().sample((2,)).to(model.mdp.dtype)
            for t in (0, model.horizon - 1):  # type: ignore[operator]
                distribution = tried("policy", partial(policy, state, t), f"on states of shape {list(state.shape)}")
                if not isinstance(distribution, Distribution) or tuple(distribution.batch_shape) != (2,):
                    got = shown(distribution)
                    raise ValueError(f"policy: expected a distribution of batch shape (2,) on 2 states, got {got}")
                check_support(model, distribution, "policy")

    @property
    def fixes_dynamics(self) -> bool:
        """Whether p(s₀) and p(s'|s,a) are the model's."""
        return self.believed is None

    def rollout(self, n: int, reparameterised: bool = False) -> ContinuousRollout:
        """N trajectories as the guide believes them to go, from torch's current random stream."""
        return self._drawn(roll_out, n, reparameterised)

    def total_gains(self, n: int, reparameterised: bool = False) -> Tensor:
        """What ``rollout`` says of the ELBO of each of n trajectories, nats [n], without keeping them."""
        return self._drawn(total_gains, n, reparameterised)

    def _drawn(self, how: Any, n: int, reparameterised: bool) -> Any:
        act = act_by_policy(self.model, self.policy, reparameterised)
        learned = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return how(self.model, act, n, believed=self.believed, reparameterised=reparameterised, learned=learned)

    def initial(self) -> Any:
        """q(s₀)."""
        truth = self.model.mdp.initial()
        return truth if self.believed is None else self.believed.initial(truth)

    def transition(self, state: Tensor, action: Tensor, t: int) -> Any:
        """q(s'|s,a,t) for states [*b, n] and actions [*b, m]."""
        truth = self.model.mdp.transition(state, action)
        return truth if self.believed is None else self.believed.transition(state, action, t, truth)

    def forward(self) -> Any:
        """Run the guide once as a Pyro program with the model's sites."""
        move = None if self.fixes_dynamics else self._move
        with GuideMessenger(self.model.program, self.policy, move):
            return self.model.program()

    def _move(self, name: str, role: str, context: Context, prior: Any) -> Any:
        if role != "state":
            return prior
        if name == "s_0":
            return self.believed.initial(prior)
        t = time_index(name)
        assert t is not None
        state = context.latest["s"].to(self.model.mdp.dtype)
        return self.believed.transition(state, context.latest["a"], t - 1, prior)
