"""Bayesian inverse RL as a method: settings, and the two ways to the posterior."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from ppl_control.inference.checkpoint import Keeper, digest_of, identity
from ppl_control.inverse.bayesian.chains import Chains, by_nuts
from ppl_control.inverse.bayesian.posterior import RewardPosterior, answer, arviz
from ppl_control.inverse.bayesian.program import priors_of, reward_program, starting
from ppl_control.inverse.bayesian.sampling import by_svi
from ppl_control.inverse.demonstrations.counting import count
from ppl_control.inverse.exact.objectives import OBJECTIVES, require_counts
from ppl_control.inverse.rewards.base import Reward
from ppl_control.inverse.world import Called, make_world
from ppl_control.randomness import check_seed
from ppl_control.settings import one_of, require_real, require_whole, truth
from ppl_control.threads import threads
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["BayesianIRL"]


@dataclass(frozen=True)
class BayesianIRL:
    """p(ψ | demonstrations) ∝ p(ψ) Π p(demonstration | ψ), by Pyro's NUTS or SVI on the exact soft values.

    Args:
        reward: what is to be learned, a recipe, never changed; chains start from its parameters, or where
            the prior rules these out from its mean.
        prior: p(ψ): a distribution for every number, or parameter name → distribution. Positive ones (``LogNormal``,
            ``HalfNormal``) keep their parameters positive.
        method: ``"nuts"`` draws from the posterior; ``"svi"`` fits a Gaussian to it (in unconstrained space).
        likelihood: ``"conditional"``: Π_t π_ψ(a_t|s_t); ``"trajectory"``: p(τ|O, ψ), optimistic.
        samples: draws kept of each chain (of the Gaussian altogether), at least 4.
        warmup: draws of each chain before, in which NUTS finds its step and metric.
        chains: how many, one after the other, each with a stream of its own.
        steps: of SVI.
        learning_rate: of SVI's Adam, which falls to a hundredth of it.

    Raises:
        ValueError: a setting out of its range; at ``fit``, as ``MaxEntIRL``.
        ImportError: at ``fit``, without ArviZ: install ``ppl-control[bayesian]``.

    References:
        Ramachandran and Amir (2007); Choi and Kim (2011); Hoffman and Gelman (2014).
    """

    reward: Reward
    prior: Any
    method: Literal["nuts", "svi"] = "nuts"
    likelihood: Literal["conditional", "trajectory"] = "conditional"
    samples: int = 500
    warmup: int = 300
    chains: int = 2
    steps: int = 1000
    learning_rate: float = 0.05

    def __post_init__(self) -> None:
        if not isinstance(self.reward, Reward) or not list(self.reward.parameters()):
            raise ValueError(f"reward: expected a reward model with parameters, got {self.reward!r}")
        priors_of(self.reward, self.prior)
        one_of("method", self.method, ("nuts", "svi"))
        one_of("likelihood", self.likelihood, ("conditional", "trajectory"))  # the dual is none
        require_whole(self, {"samples": 4, "warmup": 1, "chains": 1, "steps": 1})
        require_real(self, ["learning_rate"], above=0)

    @threads(1)
    def fit(
        self,
        model: TrajectoryModel,
        demonstrations: Any,
        *,
        seed: int = 0,
        progress: bool = True,
        checkpoint: str | Path | None = None,
    ) -> RewardPosterior:
        """The posterior over the reward of a model.

        Ctrl-C ends the fit after the transition or step in flight. NUTS then answers from the chains that were made,
        or from the first one's draws so far, SVI from its Gaussian as it is; ``finished`` is False.

        Args:
            model: horizon, temperature, discount and action prior; its reward is replaced.
            demonstrations: as for ``MaxEntIRL``.
            seed: of everything random; the caller's random state is untouched.
            progress: show a progress bar on standard error.
            checkpoint: a file to keep whole chains in, for ``"nuts"``; an existing one is resumed. A chain that was
                stopped in between is made anew from its own stream, so that the draws are the same bit for bit.

        Raises:
            KeyboardInterrupt: Ctrl-C before there were four draws, or twice.
        """
        if checkpoint is not None and self.method != "nuts":
            raise ValueError(f"checkpoint: chains are kept, which method={self.method!r} has none of; use 'nuts'")
        seed, progress = check_seed(seed), truth("progress", progress)
        arviz()  # what is missing is said before the work is done
        world = make_world(model)
        if self.likelihood == "trajectory" and self.method == "svi" and model.horizon is None:
            raise ValueError(
                "method: without a horizon the posterior of some rewards diverges, where a Gaussian cannot avoid; use "
                "method='nuts'"
            )
        counts = count(world, demonstrations)
        reward = deepcopy(self.reward).to(world.tables.initial.device).requires_grad_(False)
        require_counts(self.likelihood, counts, reward.sees_next)
        priors = priors_of(reward, self.prior)
        start = starting(reward, priors)
        OBJECTIVES[self.likelihood](
            world, counts, world.pay(Called(reward, start))
        )  # what cannot be begun is said here
        program = reward_program(reward, priors, self.likelihood, world, counts)
        if self.method == "svi":
            draws = by_svi(self, program, start, seed, progress)
        else:

            def keep(chains: Chains) -> Keeper | None:
                if checkpoint is None:
                    return None
                seen = {name: table for name, table in vars(counts).items() if isinstance(table, Tensor)}
                run = identity(model, self, seed) | {"demonstrations": digest_of(seen)[:12]}
                return Keeper(chains, run, checkpoint, most=self.chains)

            draws = by_nuts(self, program, start, seed, progress, keep, world.warm.clear)
        return answer(self, world, reward, draws, seed)
