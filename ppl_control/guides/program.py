"""A guide bound to a user's program: the program itself, with some sites' distributions replaced."""

from __future__ import annotations

from typing import Any

import torch
from pyro.distributions import Categorical
from torch import Tensor, nn

from ppl_control.randomness import RandomStream
from ppl_control.trajectory.handlers import Context, GuideMessenger
from ppl_control.trajectory.masked import impossible
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.program_rollout import sample_program
from ppl_control.trajectory.roles import family
from ppl_control.trajectory.user_program import UserProgram

__all__ = ["ProgramGuide"]


class ProgramGuide(nn.Module):
    """The program with q(a|s,t) at its action sites and, where told, learned state and latent sites.

    A learned finite site has q ∝ p · exp(tilt[previous values]), with one free tilt for each joint value of
    what the site may hang on: for a state, the latest states, latents and action; for a latent, nothing.

    Args:
        model: a model made by ``TrajectoryModel.from_program``.
        policy: q(a|s,t).
        learn_dynamics: replace the state and latent sites too.

    Raises:
        ValueError: a site to be learned is not finite, or the policy does not fit the program.
    """

    policy: nn.Module

    def __init__(self, model: TrajectoryModel, policy: nn.Module, learn_dynamics: bool) -> None:
        super().__init__()
        self.model, self.policy = model, policy
        self.fixes_dynamics = not learn_dynamics
        self.tilts = nn.ParameterDict()
        self.parents: dict[str, dict[str, int]] = {}
        if learn_dynamics:
            self._add_tilts(model.program)
        with RandomStream(0), torch.no_grad():
            sample_program(model, self, 2)  # a policy that does not fit shows here

    def _add_tilts(self, program: UserProgram) -> None:
        latest: dict[str, int] = {}
        for site in program.sites.values():
            if site.observed or site.role not in ("state", "latent", "action"):
                continue
            if site.cardinality is None:
                if site.role == "action":
                    continue
                raise ValueError(
                    f"Unconstrained: site {site.name!r} is not finite; its belief cannot be tabulated: "
                    "use FixedDynamics, or write the site as a Categorical"
                )
            if site.role != "action":
                self.parents[site.name] = dict(latest) if site.role == "state" else {}
                shape = (*self.parents[site.name].values(), site.cardinality)
                self.tilts[site.name] = nn.Parameter(torch.zeros(shape, dtype=torch.float64))
            known = latest.get(family(site.name), 0)
            latest[family(site.name)] = max(known, site.cardinality)

    def forward(self) -> Any:
        """Run the guide once as a Pyro program with the model's sites."""
        move = None if self.fixes_dynamics else self._move
        with GuideMessenger(self.model.program, self.policy, move):
            return self.model.program()

    def _move(self, name: str, role: str, context: Context, prior: Any) -> Any:
        if name not in self.tilts:
            raise ValueError(f"guide: unknown site {name!r}; the guide knows {list(self.tilts)}")
        tilt: Tensor = self.tilts[name]
        index = tuple(context.latest[parent].long() for parent in self.parents[name])
        values = tilt[index] if index else tilt
        if isinstance(prior, torch.distributions.Categorical):
            return Categorical(logits=torch.where(impossible(prior), -torch.inf, prior.logits + values))
        if not isinstance(prior, torch.distributions.Bernoulli):
            log_p = prior.log_prob(prior.enumerate_support()).movedim(0, -1)
            return Categorical(logits=torch.where(log_p == -torch.inf, log_p, log_p + values))
        # Bernoulli's values are floats: the tilt is the difference of its two entries; what is certain stays so.
        tilted = torch.sigmoid(prior.logits + values[..., 1] - values[..., 0])
        certain = (prior.probs == 0) | (prior.probs == 1)
        return type(prior)(probs=torch.where(certain, prior.probs.to(tilted), tilted))
