"""The per-site Pyro program of a continuous model: the definition that the batched rollout is tested against."""

from __future__ import annotations

from typing import Any

import pyro
import pyro.poutine as poutine
import torch
from pyro.distributions import Bernoulli  # pyright: ignore[reportAttributeAccessIssue]
from torch import Tensor

from ppl_control.mdp.continuous import ContinuousMDP
from ppl_control.trajectory.action_prior import ActionPrior
from ppl_control.trajectory.factors import factor
from ppl_control.trajectory.roles import Roles

__all__ = ["ContinuousProgram"]


class ContinuousProgram:
    """p(s₀) ∏ π0(a_t|s_t) p(s_{t+1}|s_t,a_t) exp(r_t/α) with sites ``s_t``, ``a_t``, ``O_t``.

    The last factor holds the final reward too. After the end every site is masked. A discount is drawn as
    survival, site ``survives_t``, a latent that no policy sees.
    """

    policy_sees = ("state",)
    batched = True

    def __init__(
        self, mdp: ContinuousMDP, prior: ActionPrior, horizon: int, temperature: float, discount: float
    ) -> None:
        self.mdp, self.prior, self.horizon = mdp, prior, horizon
        self.temperature, self.discount = temperature, discount
        self.roles = Roles({"s_*": "state", "a_*": "action", "O_*": "optimality", "survives_*": "latent"})

    def __call__(self) -> None:
        """Run the program once; every site is a Pyro sample statement."""
        mdp = self.mdp
        state = pyro.sample("s_0", mdp.initial()).to(mdp.dtype)
        ends = self.discount < 1 or mdp.may_end
        alive = ~mdp.done(state)
        for t in range(self.horizon):
            here = alive
            mask: Any = here if ends else True
            with poutine.mask(mask=mask):
                action = pyro.sample(f"a_{t}", self.prior.site(state, t))
                following = pyro.sample(f"s_{t + 1}", mdp.transition(state, action)).to(mdp.dtype)
                if self.discount < 1:
                    survives = pyro.sample(f"survives_{t}", Bernoulli(torch.tensor(self.discount, dtype=mdp.dtype)))
                    alive = alive & (survives > 0)
            reward, final = mdp.reward(state, action, following), mdp.final_reward(following)
            volume = self.prior.correction(state, action, t)
            if ends:
                alive = alive & ~mdp.done(following)
                reward, final = torch.where(here, reward, 0.0), torch.where(alive, final, 0.0)
                volume = torch.where(here, volume, 0.0)
                following = torch.where(here[..., None], following, state)
            if t == self.horizon - 1:
                reward = reward + final
            factor(f"O_{t}", reward / self.temperature + volume, reward)
            state = following

    def observe(self, state: Tensor) -> Tensor:
        """What the policy is shown: the state."""
        return state.to(self.mdp.dtype)

    @property
    def sites(self) -> dict[str, Any]:
        """Nothing is probed: the sites are known."""
        return {}
