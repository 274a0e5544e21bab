"""Stochastic variational inference over trajectories."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Literal

import torch
from pyro.infer import Trace_ELBO
from torch import Tensor

from ppl_control.guides.bound import BoundGuide
from ppl_control.guides.custom import Custom
from ppl_control.guides.fixed_dynamics import FixedDynamics
from ppl_control.guides.tabular import TabularGuide
from ppl_control.guides.unconstrained import Unconstrained
from ppl_control.inference.base import DivergenceError, Solution
from ppl_control.inference.exact.fixed_point import posterior_fixed_point
from ppl_control.inference.exact.recursions import elbo
from ppl_control.inference.variational import exact_bound, score
from ppl_control.inference.variational.state import SVIState
from ppl_control.policies.tabular import TabularPolicy
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.program_rollout import plate_depth

__all__ = ["SVI"]

FINAL_RUNS = 16384  # runs of a program on batches that its final bound is estimated from
FINAL_SINGLE_RUNS = 256  # the same for programs that run one trajectory at a time
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
            ``"score"``: sampled, with reward to go and a baseline (the default for programs);
            ``"pyro"``: Pyro's own ``Trace_ELBO`` on the per-site program, the slow reference.
        optimizer: ``"natural"`` (tables with ``"enumerate"``; the default there) or ``"adam"``.

    Raises:
        ValueError: a setting out of its range; at ``infer``, settings that cannot serve the model.

    References:
        Hoffman et al. (2013); Levine (2018), arXiv 1805.00909, section 3.2.
    """

    guide: FixedDynamics | Unconstrained | Custom | Callable[[], Any] = field(default_factory=FixedDynamics)
    steps: int = 1000
    learning_rate: float | None = None
    particles: int = 256
    estimator: Literal["enumerate", "score", "pyro"] | None = None
    optimizer: Literal["natural", "adam"] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.guide, type) or not (hasattr(self.guide, "build") or callable(self.guide)):
            raise ValueError(f"guide: expected a recipe such as FixedDynamics(), or a function, got {self.guide!r}")
        for name in ("steps", "particles"):
            value = getattr(self, name)
            if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
                raise ValueError(f"{name}: expected an integer >= 1, got {value!r}")
        rate = self.learning_rate
        if rate is not None and not (isinstance(rate, Real) and 0 < rate < math.inf):
            raise ValueError(f"learning_rate: expected a finite number > 0, got {rate!r}")
        if self.estimator not in (None, "enumerate", "score", "pyro"):
            raise ValueError(f"estimator: expected enumerate, score or pyro, got {self.estimator!r}")
        if self.optimizer not in (None, "natural", "adam"):
            raise ValueError(f"optimizer: expected natural or adam, got {self.optimizer!r}")

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where these settings cannot serve the model."""
        if self.estimator == "enumerate" and not model.is_tabular:
            raise ValueError(f"estimator: 'enumerate' needs a tabular model, got {model!r}; use 'score'")
        if self.estimator == "pyro" and model.horizon is None:
            raise ValueError("estimator: 'pyro' needs a horizon: batches of programs must be equally long")
        guide = self._build(model)
        if self.estimator == "enumerate" and not isinstance(guide, TabularGuide):
            raise ValueError("estimator: 'enumerate' needs a tabular guide, got a function; use 'score'")
        if self.estimator == "pyro" and getattr(guide, "left_out", ()):
            raise ValueError(f"estimator: 'pyro' needs every site in the guide; {guide.left_out} are not: use 'score'")
        if model.horizon is None and isinstance(guide, TabularGuide) and not guide.fixes_dynamics:
            posterior_fixed_point(model.tables, repr(model.action_prior), model.discount)  # it must exist
        natural = self._natural(model, guide)
        if natural and (self.learning_rate or 1.0) > 1:
            raise ValueError(f"learning_rate: the natural gradient takes at most 1, got {self.learning_rate!r}")
        if self.optimizer == "natural" and not natural:
            raise ValueError(
                "optimizer: 'natural' needs estimator 'enumerate' and a tabular policy with one table a time "
                "step (or a stationary one without a horizon); use 'adam'"
            )

    def _build(self, model: TrajectoryModel) -> BoundGuide:
        recipe: Any = self.guide if hasattr(self.guide, "build") else Custom(self.guide)  # type: ignore[arg-type]
        return recipe.build(model)

    def _estimator(self, guide: BoundGuide) -> str:
        return self.estimator or ("enumerate" if isinstance(guide, TabularGuide) else "score")

    def _natural(self, model: TrajectoryModel, guide: BoundGuide) -> bool:
        policy = guide.policy
        fits = isinstance(policy, TabularPolicy) and policy.horizon == model.horizon
        fits = fits and isinstance(guide, TabularGuide) and self._estimator(guide) == "enumerate"
        return fits and self.optimizer != "adam"

    def init(self, model: TrajectoryModel, seed: int = 0) -> SVIState:
        """The state before the first step."""
        guide = self._build(model)
        optimizer = None
        if not self._natural(model, guide):
            exact = self._estimator(guide) == "enumerate"
            tabular = isinstance(guide.policy, TabularPolicy)
            rate = self.learning_rate or ((0.3 if exact else 0.1) if tabular else 0.01)
            parameters = [p for p in guide.parameters() if p.requires_grad]
            # An exact gradient shrinks by orders of magnitude as the policy hardens: old squares are forgotten
            # soon. A sampled one is mostly noise where a table is hardly ever visited: eps keeps that small.
            betas, eps = ((0.9, 0.9), 1e-8) if exact else ((0.9, 0.99), 1e-2 if tabular else 1e-8)
            optimizer = torch.optim.Adam(parameters, lr=rate, betas=betas, eps=eps)
            for group in optimizer.param_groups:
                group["initial_lr"] = rate
        return SVIState(guide, optimizer, RandomStream(seed))

    def step(self, model: TrajectoryModel, state: SVIState) -> dict[str, float]:
        """One step in place; the metric ``bound`` is the ELBO before it, nats (an estimate where sampled)."""
        if state.optimizer is None:
            assert isinstance(state.guide, TabularGuide)
            before, residual = exact_bound.natural_step(state.guide, self.learning_rate or 1.0)
            bound, state.converged = float(before), residual <= CONVERGED
        else:
            for group in state.optimizer.param_groups:
                group["lr"] = group["initial_lr"] * (1 - state.number / self.steps)
            state.optimizer.zero_grad(set_to_none=True)
            with state.stream:
                elbo_now, loss = self._elbo_and_loss(model, state)
            if not bool(loss.isfinite()):
                raise DivergenceError(f"step {state.number + 1}: the loss is {float(loss.detach())}")
            loss.backward()
            bound = float(elbo_now.mean())
            state.optimizer.step()
            for name, parameter in state.guide.named_parameters():
                largest = float(parameter.detach().max())  # −∞ is allowed: it marks what the model rules out
                if not largest < math.inf:
                    raise DivergenceError(f"step {state.number + 1}: {name} is {largest}")
        state.number += 1
        state.history.setdefault("bound", []).append(bound)
        return {"bound": bound}

    def _elbo_and_loss(self, model: TrajectoryModel, state: SVIState) -> tuple[Tensor, Tensor]:
        estimator, guide = self._estimator(state.guide), state.guide
        if estimator == "pyro":
            batched = model.program.batched
            pyro_elbo = Trace_ELBO(
                num_particles=self.particles,
                vectorize_particles=batched,
                max_plate_nesting=plate_depth(model) if batched else math.inf,
            )
            loss = pyro_elbo.differentiable_loss(model.model, guide)
            return -loss.detach(), loss
        if not isinstance(guide, TabularGuide):
            return score.program_loss(model, guide, self.particles)
        if estimator == "enumerate":
            return exact_bound.elbo_and_loss(guide)
        bound, loss, state.baseline = score.tabular_loss(guide, self.particles, state.baseline)
        return bound, loss

    def finished(self, state: SVIState) -> bool:
        """Whether all steps are made or the natural gradient has arrived."""
        return state.converged or state.number >= self.steps

    @torch.no_grad()
    def solution(self, model: TrajectoryModel, state: SVIState) -> Solution:
        """The fitted guide; its bound is exact on tabular models, else estimated from fresh runs."""
        guide = deepcopy(state.guide)
        if isinstance(guide, TabularGuide):
            q = guide.tables()
            value, action_value = exact_bound.values(model.tables, q)
            bound = float(elbo(model.tables, q, value if model.horizon is None else value[0]))
            stderr, alpha = 0.0, model.temperature
            soft_value, soft_q = value * alpha, action_value * alpha
        else:
            with state.stream:
                runs = FINAL_RUNS if model.program.batched else FINAL_SINGLE_RUNS
                totals, _ = score.program_loss(model, guide, max(runs, self.particles))
            bound, stderr = float(totals.mean()), float(totals.std() / len(totals) ** 0.5)
            soft_value = soft_q = None
        return Solution(
            model=model,
            method=self,
            policy=guide.policy,
            guide=guide,
            log_evidence_bound=bound,
            log_evidence_bound_stderr=stderr,
            exact=False,
            temperature=model.temperature,
            soft_value=soft_value,
            soft_q=soft_q,
            history={name: tuple(column) for name, column in state.history.items()},
        )
