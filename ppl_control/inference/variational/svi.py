"""Stochastic variational inference over trajectories."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from ppl_control.guides.bound import BoundGuide, Recipe
from ppl_control.guides.custom import Custom, CustomGuide
from ppl_control.guides.fixed_dynamics import FixedDynamics
from ppl_control.inference.base import DivergenceError, Solution, require_densities
from ppl_control.inference.variational.estimators import NAMES, Estimator, NaturalEstimator, choose
from ppl_control.inference.variational.state import SVIState
from ppl_control.randomness import RandomStream
from ppl_control.settings import one_of, require_real, require_whole
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["SVI"]

CONVERGED = 1e-12  # residual below which the natural gradient has arrived


@dataclass(frozen=True)
class SVI:
    """Maximise the ELBO of a guide.

    Args:
        guide: a family of q(τ), or a Pyro function of your own over the model's sites (see ``guides.Custom``);
            copied, never trained itself.
        steps: the most steps to make; the natural gradient stops when it has arrived.
        learning_rate: None: 1 for the natural gradient; for Adam on tables 0.3 with the exact gradient and 0.1
            with a sampled one; 0.01 on networks. Adam's rate falls linearly to 0 over the steps.
        particles: trajectories a step, for the estimators that sample.
        estimator: ``"enumerate"``: the exact ELBO and gradient (tabular models; the default there);
            ``"reparameterised"``: sampled, the gradient running through the trajectories (continuous models; the
            default there, where everything has ``rsample``);
            ``"score"``: sampled, with reward to go and a baseline (the default for programs);
            ``"pyro"``: Pyro's own ``Trace_ELBO`` on the per-site program, the slow reference.
        optimizer: ``"natural"`` (tables with ``"enumerate"``; the default there) or ``"adam"``.
        final_temperature: let α fall geometrically from the model's to this; near 0 the policy of best expected
            return is left. Bound and values then refer to it (``Solution.temperature``).

    Raises:
        ValueError: a setting out of its range; at ``infer``, settings that cannot serve the model, or a function
            that draws what the model rules out.

    Note:
        On continuous models long rollouts keep the graph of √T steps at a time and make the others anew for the
        gradient: ``"reparameterised"`` then takes memory for √T steps, ``"score"`` for the numbers of all T.

    References:
        Hoffman et al. (2013); Levine (2018), arXiv 1805.00909, section 3.2.
    """

    guide: Recipe | Callable[[], Any] = field(default_factory=FixedDynamics)
    steps: int = 1000
    learning_rate: float | None = None
    particles: int = 256
    estimator: Literal["enumerate", "reparameterised", "score", "pyro"] | None = None
    optimizer: Literal["natural", "adam"] | None = None
    final_temperature: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.guide, type) or not (hasattr(self.guide, "build") or callable(self.guide)):
            raise ValueError(f"guide: expected a recipe such as FixedDynamics(), or a function, got {self.guide!r}")
        require_whole(self, {"steps": 1, "particles": 1})
        require_real(self, ["learning_rate", "final_temperature"], optional=True, above=0)
        one_of("estimator", self.estimator, (None, *NAMES))
        one_of("optimizer", self.optimizer, (None, "natural", "adam"))

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where these settings cannot serve the model."""
        require_densities(self, model)
        guide = self._build(model)
        estimator = choose(guide, self.estimator)
        estimator.check(guide)
        if self.final_temperature is not None and model.mdp is None:
            raise ValueError("final_temperature: the program's factors have their own temperature; use an MDP")
        natural = self._natural(guide, estimator)
        if natural is not None and (self.learning_rate or 1.0) > 1:
            raise ValueError(f"learning_rate: the natural gradient takes at most 1, got {self.learning_rate!r}")
        if self.optimizer == "natural" and natural is None:
            raise ValueError(
                "optimizer: 'natural' needs estimator 'enumerate', a guide of the library's and a tabular policy with "
                "one table a time step (or a stationary one without a horizon); use 'adam'"
            )

    def _build(self, model: TrajectoryModel) -> BoundGuide:
        recipe: Any = self.guide if hasattr(self.guide, "build") else Custom(self.guide)  # type: ignore[arg-type]
        return recipe.build(model)

    def _natural(self, guide: BoundGuide, estimator: Estimator) -> NaturalEstimator | None:
        if self.optimizer == "adam" or not isinstance(estimator, NaturalEstimator):
            return None
        return estimator if estimator.has_natural(guide) else None

    def init(self, model: TrajectoryModel, seed: int = 0) -> SVIState:
        """The state before the first step."""
        guide = self._build(model)
        estimator = choose(guide, self.estimator)
        optimizer = None
        if hasattr(estimator, "start"):
            estimator.start(guide, seed)  # type: ignore[attr-defined]
        if self._natural(guide, estimator) is None:
            settings = estimator.adam(guide)
            rate = self.learning_rate or settings.rate
            parameters = [p for p in guide.parameters() if p.requires_grad]
            optimizer = torch.optim.Adam(parameters, lr=rate, betas=settings.betas, eps=settings.eps)
            for group in optimizer.param_groups:
                group["initial_lr"] = rate
        return SVIState(guide, estimator, optimizer, RandomStream(seed))

    def step(self, model: TrajectoryModel, state: SVIState) -> dict[str, float]:
        """One step in place; the metric ``bound`` is the ELBO before it, nats (an estimate where sampled)."""
        if self.final_temperature is not None:
            state.guide.model = model.replaced(temperature=self._temperature(model, state.number))
        if state.optimizer is None:
            natural: Any = state.estimator
            before, residual = natural.natural_step(state.guide, self.learning_rate or 1.0)
            bound, arrived = float(before), residual <= CONVERGED
            state.converged = arrived and (self.final_temperature is None or state.number + 1 >= self.steps)
        else:
            for group in state.optimizer.param_groups:
                group["lr"] = group["initial_lr"] * (1 - state.number / self.steps)
            state.optimizer.zero_grad(set_to_none=True)
            with state.stream:
                elbo_now, loss, state.baseline = state.estimator.loss(state.guide, self.particles, state.baseline)
            bound = float(elbo_now.mean())
            if bound == -math.inf and state.number == 0:
                if isinstance(state.guide, CustomGuide):
                    raise ValueError(
                        "guide: its bound is −∞, for it draws what the model rules out: an action that the prior "
                        "forbids, or a state or an outcome that cannot follow"
                    )
                state.converged = True  # the family has no finite bound here: there is no slope to climb
            elif not bool(loss.isfinite()):
                raise DivergenceError(f"step {state.number + 1}: the loss is {float(loss.detach())}")
            else:
                loss.backward()
                state.optimizer.step()
            for name, parameter in state.guide.named_parameters():
                largest = float(parameter.detach().max())  # −∞ is allowed: it marks what the model rules out
                if not largest < math.inf:
                    raise DivergenceError(f"step {state.number + 1}: {name} is {largest}")
        state.number += 1
        metric = getattr(state.estimator, "metric", "bound")
        state.history.setdefault(metric, []).append(bound)
        return {metric: bound}

    def _temperature(self, model: TrajectoryModel, number: int) -> float:
        """α falls geometrically and has arrived for the last fifth of the steps."""
        assert self.final_temperature is not None
        share = min(1.0, number / max(0.8 * (self.steps - 1), 1))
        return model.temperature ** (1 - share) * self.final_temperature**share

    def finished(self, state: SVIState) -> bool:
        """Whether all steps are made or the natural gradient has arrived."""
        return state.converged or state.number >= self.steps

    @torch.no_grad()
    def solution(self, model: TrajectoryModel, state: SVIState) -> Solution:
        """The fitted guide; its bound is exact on tabular models, else estimated from fresh runs."""
        guide = deepcopy(state.guide)
        if self.final_temperature is not None and state.number > 0:  # a resumed guide has not heard of it
            guide.model = model.replaced(temperature=self._temperature(model, state.number - 1))
        with state.stream:
            answer = state.estimator.answer(guide, self.particles)
        alpha = guide.model.temperature
        return Solution(
            model=model,
            method=self,
            policy=guide.policy,
            guide=guide,
            log_evidence_bound=answer.bound,
            log_evidence_bound_stderr=answer.stderr,
            exact=False,
            temperature=alpha,
            soft_value=None if answer.value is None else answer.value * alpha,
            soft_q=None if answer.action_value is None else answer.action_value * alpha,
            history={name: tuple(column) for name, column in state.history.items()},
        )
