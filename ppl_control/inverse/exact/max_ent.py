"""Maximum-entropy inverse RL on tables, by one of three objectives."""

from __future__ import annotations

import math
import time
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from ppl_control.inference import MessagePassing, SoftValueIteration, infer
from ppl_control.inverse.demonstrations.counting import count
from ppl_control.inverse.demonstrations.counts import Counts
from ppl_control.inverse.exact.boundedness import UnboundedError, excess
from ppl_control.inverse.exact.curvature import curvature, operations
from ppl_control.inverse.exact.fit import RewardFit
from ppl_control.inverse.exact.objectives import OBJECTIVES, conditional, require_counts
from ppl_control.inverse.exact.optimum import Ascent, ascend
from ppl_control.inverse.rewards.base import Reward
from ppl_control.inverse.world import World, make_world
from ppl_control.settings import one_of, require_real, require_whole
from ppl_control.threads import threads
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["MaxEntIRL"]

NEWTON = (200, 1e8)  # parameters, and multiplications of a Hessian, up to which it is worth its price


@dataclass(frozen=True)
class MaxEntIRL:
    """Find the reward under which demonstrations are best explained, exactly, on a tabular model.

    The three objectives differ where the world is stochastic:

    * ``"conditional"``: mean Σ_t log π_ψ(a_t|s_t), π_ψ soft-optimal in the true dynamics; dynamic discrete choice
      (Rust 1987). The most efficient where actions are seen and dynamics known.
    * ``"dual"``: matching (discounted) feature counts in the true dynamics; maximum causal entropy (Ziebart 2010).
    * ``"trajectory"``: mean log p(τ|O, ψ), the lecture's formula (Ziebart 2008); its expectation is over the optimistic
      posterior, so that luck may explain behaviour.

    Args:
        reward: what is to be learned, a recipe: ``fit`` trains a copy, from the recipe's own parameters on.
        objective: one of the three.
        l2: λ of a penalty ½ λ |ψ|² on the objective, nats: a mean over trajectories (over decisions, where nothing but
            decisions was recorded).
        tolerance: largest entry of the gradient at which the ascent ends, nats per unit of ψ; None: 1e-8 by Newton's
            method, 1e-5 by L-BFGS, for rewards that are not linear or have very many parameters.
        steps: of the ascent, at most.

    Raises:
        ValueError: a setting out of its range; at ``fit``, a model without tables, demonstrations that the model says
            are impossible, or (``UnboundedError``) feature counts that no policy attains.

    Note:
        Rewards are identified only up to shaping γΦ(s') − Φ(s): compare policies, occupancies or
        ``without_shaping``, never raw weights.

    References:
        Rust (1987); Ziebart et al. (2008); Ziebart (2010); Gleave and Toyer (2022, arXiv 2203.11409).
    """

    reward: Reward
    objective: Literal["conditional", "dual", "trajectory"] = "conditional"
    l2: float = 0.0
    tolerance: float | None = None
    steps: int = 1000

    def __post_init__(self) -> None:
        if not isinstance(self.reward, Reward) or not list(self.reward.parameters()):
            raise ValueError(f"reward: expected a reward model with parameters, got {self.reward!r}")
        one_of("objective", self.objective, list(OBJECTIVES))
        require_real(self, ["l2"], least=0)
        require_real(self, ["tolerance"], optional=True, above=0)
        require_whole(self, {"steps": 1})

    @threads(1)
    def value_and_gradient(self, model: TrajectoryModel, demonstrations: Any) -> tuple[float, Float[Tensor, " P"]]:
        """The objective at the recipe's own parameters, nats, and its gradient, nats per unit of ψ; without penalty.

        Arguments as for ``fit``; the gradient stands in the order of ``reward.parameter_names``.
        """
        world = make_world(model)
        counts = count(world, demonstrations)
        reward = _copied(self.reward, world)
        require_counts(self.objective, counts, reward.sees_next)
        return _evaluated(self.objective, world, counts, reward)

    @threads(1)  # on tables that fit an exact method, more of them cost more than they bring
    def fit(self, model: TrajectoryModel, demonstrations: Any) -> RewardFit:
        """Learn the reward of a model from demonstrations of its behaviour.

        Ctrl-C ends the ascent after the step in flight; ``finished`` is False then, and a fit that begins with the
        reward found goes on from there.

        Args:
            model: horizon, temperature, discount and action prior; its reward is replaced.
            demonstrations: ``Demonstrations``, own ``Trajectories``, lists of (state, action, next state), a Minari
                dataset, or ``Counts``.
        """
        world = make_world(model)
        counts = count(world, demonstrations)
        reward = _copied(self.reward, world)
        require_counts(self.objective, counts, reward.sees_next)
        started = time.perf_counter()
        found = _ascent(self, world, counts, reward)
        seconds = time.perf_counter() - started
        vector_to_parameters(torch.as_tensor(found.place).to(_vector(reward)), reward.parameters())
        reward.requires_grad_(False)
        return _answer(self, world, counts, reward, found, seconds)


def _ascent(method: MaxEntIRL, world: World, counts: Counts, reward: Reward) -> Ascent:
    def put(place: np.ndarray) -> None:
        vector_to_parameters(torch.as_tensor(place).to(_vector(reward)), reward.parameters())

    def value(place: np.ndarray) -> tuple[float, np.ndarray]:
        put(place)
        try:
            found, slope = _evaluated(method.objective, world, counts, reward)
        except ValueError:
            if np.array_equal(place, start):
                raise
            return -math.inf, np.zeros_like(place)  # a step too far: the posterior's fixed point diverges there
        return found - 0.5 * method.l2 * float(place @ place), slope.double().cpu().numpy() - method.l2 * place

    def hessian(place: np.ndarray) -> np.ndarray:
        put(place)
        found = curvature(method.objective, world, counts, world.pay(reward).detach(), slopes).hessian
        return found.double().cpu().numpy() / counts.trajectories - method.l2 * np.eye(len(place))

    def watch(place: np.ndarray) -> None:
        put(place)
        _require_bounded(world, counts, reward)

    start = _vector(reward).detach().double().cpu().numpy()
    outcomes = reward.sees_next or method.objective == "trajectory"
    newton = reward.is_linear and len(start) <= NEWTON[0] and operations(world, len(start), outcomes) <= NEWTON[1]
    slopes = world.features(reward) if newton else torch.empty(0)
    bounded = method.objective != "dual" or method.l2 > 0 or not reward.is_linear
    return ascend(
        value,
        start,
        hessian=hessian if newton else None,
        tolerance=method.tolerance or (1e-8 if newton else 1e-5),
        steps=method.steps,
        watch=(lambda place: None) if bounded else watch,
    )


def _evaluated(objective: str, world: World, counts: Counts, reward: Reward) -> tuple[float, Float[Tensor, " P"]]:
    with torch.inference_mode(False), torch.enable_grad():  # also where the caller has switched gradients off
        found = OBJECTIVES[objective](world, counts, world.pay(reward))
        slopes = torch.autograd.grad(found, list(reward.parameters()), materialize_grads=True)
    return float(found.detach()), torch.cat([slope.reshape(-1) for slope in slopes])


def _copied(reward: Reward, world: World) -> Reward:
    with torch.inference_mode(False):
        return deepcopy(reward).to(world.tables.initial.device).requires_grad_(True)


def _require_bounded(world: World, counts: Counts, reward: Reward) -> None:
    more = excess(world, counts, world.pay(reward).detach())
    if more > 0:
        weights = dict(zip(reward.parameter_names, _vector(reward).tolist(), strict=True))
        shown = ", ".join(f"{name} {value:.3g}" for name, value in list(weights.items())[:8])
        raise UnboundedError(
            f"demonstrations: the dual is unbounded: along the reward ({shown}) they collect {more:.3g} nats more than "
            "any policy can expect from the same starts, so that no weights are best; take more demonstrations, "
            "l2 > 0, or objective='conditional'"
        )


def _vector(reward: Reward) -> torch.Tensor:
    return parameters_to_vector(reward.parameters())


def _answer(
    method: MaxEntIRL, world: World, counts: Counts, reward: Reward, found: Ascent, seconds: float
) -> RewardFit:
    with torch.no_grad():
        paid = world.pay(reward)
        value = float(OBJECTIVES[method.objective](world, counts, paid))
        likelihood = value if method.objective == "trajectory" else float(conditional(world, counts, paid))
    model = world.model.replaced(mdp=world.model.mdp.with_reward(reward))
    optimum = MessagePassing() if method.objective == "trajectory" else SoftValueIteration()
    return RewardFit(
        method=method,
        reward=reward,
        solution=infer(model, optimum, progress=False),
        counts=counts,
        objective_value=value,
        log_likelihood=likelihood * counts.trajectories,
        converged=found.converged,
        gradient=found.slope,
        evaluations=found.evaluations,
        history={"objective": found.values},
        seconds=seconds,
        world=world,
        finished=found.finished,
    )
