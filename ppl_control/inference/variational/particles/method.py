"""Particle planning: the method's settings and its steps."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ppl_control.guides.particles import ParticleGuide
from ppl_control.inference.base import DivergenceError, Solution, require_densities
from ppl_control.inference.variational.particles.genealogy import Genealogy
from ppl_control.inference.variational.particles.lookahead import Lookahead
from ppl_control.inference.variational.particles.resampling import effective_size, log_mean, resample, standard_error
from ppl_control.inference.variational.particles.state import ParticleState
from ppl_control.inference.variational.particles.worlds import make_walk
from ppl_control.randomness import RandomStream
from ppl_control.settings import one_of, require_real, require_whole
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["ParticlePlanning"]

MOST_GROUPS = 16  # enough for a standard error that is itself right to a fifth


@dataclass(frozen=True)
class ParticlePlanning:
    """Sequential Monte Carlo over trajectories, one time step of all particles a step.

    ``weighting="posterior"`` weighs trajectories by exp(Σ r/α): they are those of the posterior, luck included,
    and the mean weight Ẑ estimates Z without bias, whatever proposal and lookahead are. The solution is a plan:
    ``guide.sample_plan`` draws action sequences by weight. ``weighting="fixed_dynamics"`` weighs the actions
    proposed in a state by π0 exp(Q)/proposal, normalised among them before the outcome is seen; outcomes come from
    the true dynamics and are never weighed. The solution has a feedback policy.

    Args:
        particles: N ≥ 2, trajectories.
        weighting: ``"posterior"`` or ``"fixed_dynamics"``.
        lookahead: V_t(s) of what is to come: ``"posterior"`` (``MessagePassing``'s) or ``"variational"``
            (``SoftValueIteration``'s), for models these serve, or ``value(states, t)`` → reward units, one finite
            number a state. None: posterior weighting looks at past rewards only (the bootstrap filter); fixed
            dynamics take the variational one.
        proposal: a policy to draw actions from; copied. It has to reach wherever the action prior does. None: with
            a lookahead, tables draw action and outcome together as well as it allows, and linear-Gaussian models
            the actions of the exact policy; else actions come from the prior (uniform where the base measure has
            a finite volume).
        resample_threshold: resample when the ESS of a group is below this share of it; in (0, 1]. Posterior only.
        groups: number of independent groups of equal size that standard errors come from; None: the largest
            divisor of ``particles`` up to 16 that leaves two to each.
        candidates: actions proposed at each state where they are not finite. Fixed dynamics only.
        outcomes: next states drawn for each candidate to estimate Q; continuous models under fixed dynamics only.

    Raises:
        ValueError: a setting out of its range; at ``infer``, settings that cannot serve the model.

    Note:
        ``log_evidence_bound`` is log Ẑ (posterior), whose mean is below log Z, or the mean of
        Σ [r/α + log π0 − log q] over the particles (fixed dynamics), where among candidates
        log q = log π0 + Q − log mean (π0 exp(Q)/proposal): its mean bounds the policy's own ELBO from below.
        History: ``ess`` after each time step; ``log_evidence`` of the (twisted) target so far, nats, or
        ``partial_bound``, the ELBO's terms so far; in the end ``lineages``, how many of the particles after each
        step have descendants at the end, which the ESS does not show. Trajectories cut short are no plans: a run that
        Ctrl-C or a callback ends is carried on to the horizon in a copy, for its answer.

    References:
        Gordon, Salmond and Smith (1993); Del Moral (2004); Piché et al. (2019), probabilistic planning with SMC;
        Vergé et al. (2015) on independent groups; Cremer, Morris and Duvenaud (2017) on the bound with candidates.
    """

    particles: int = 1024
    weighting: Literal["posterior", "fixed_dynamics"] = "posterior"
    lookahead: Lookahead = None
    proposal: nn.Module | None = None
    resample_threshold: float = 0.5
    groups: int | None = None
    candidates: int = 32
    outcomes: int = 8

    def __post_init__(self) -> None:
        require_whole(self, {"particles": 2, "groups": 1, "candidates": 2, "outcomes": 1}, optional=["groups"])
        if self.groups is not None and self.particles % self.groups:
            raise ValueError(f"groups: expected a divisor of particles={self.particles}, got {self.groups}")
        one_of("weighting", self.weighting, ("posterior", "fixed_dynamics"))
        require_real(self, ["resample_threshold"], above=0, most=1)
        if isinstance(self.lookahead, type) or not callable(self.lookahead):
            one_of("lookahead", self.lookahead, (None, "posterior", "variational"))
        if self.lookahead == "posterior" and self.weighting == "fixed_dynamics":
            raise ValueError(
                "lookahead: the posterior's value counts on luck, which fixed dynamics do not; "
                "use 'variational', or weighting='posterior'"
            )
        if self.proposal is not None and not isinstance(self.proposal, nn.Module):
            raise ValueError(f"proposal: expected a policy module such as TabularPolicy, got {self.proposal!r}")

    @property
    def steps(self) -> int:
        """More than any run takes; see ``number_of_steps``."""
        return sys.maxsize

    def number_of_steps(self, model: TrajectoryModel) -> int:
        """The model's horizon: a step of the method is a time step."""
        assert model.horizon is not None
        return model.horizon

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where these settings cannot serve the model."""
        require_densities(self, model)
        make_walk(self, model)

    @torch.no_grad()
    def init(self, model: TrajectoryModel, seed: int = 0) -> ParticleState:
        """First states of all particles."""
        walk, stream = make_walk(self, model), RandomStream(seed)
        with stream:
            first = walk.start(self.particles)
        genealogy = Genealogy(states=[first.state], alive=[first.alive])
        gains = first.gain.reshape(self._groups, -1).clone()
        return ParticleState(walk, stream, first.state, first.alive, gains, genealogy)

    @property
    def _groups(self) -> int:
        if self.groups is not None:
            return int(self.groups)
        fits = (g for g in range(MOST_GROUPS, 1, -1) if self.particles % g == 0 and self.particles >= 2 * g)
        return next(fits, 1)

    @torch.no_grad()
    def step(self, model: TrajectoryModel, state: ParticleState) -> dict[str, float]:
        """One time step in place; the metrics are ``ess`` and ``log_evidence`` (or ``partial_bound``), nats."""
        with state.stream:
            ancestors = self._resampled(state)
            move = state.walk.advance(state.number, state.state, state.alive)
        state.state, state.alive = move.state, move.alive
        state.gains = state.gains + move.gain.view_as(state.gains)
        assert move.action is not None
        assert move.reward is not None
        state.genealogy.add(move.state, move.action, move.reward, move.alive, ancestors)
        state.number += 1
        metrics = self._metrics(state)
        for name, value in metrics.items():
            state.history.setdefault(name, []).append(value)
        return metrics

    def _resampled(self, state: ParticleState) -> Tensor:
        """Resample where it is time; returns each particle's ancestor among the N."""
        groups, size = state.gains.shape
        everyone = torch.arange(groups * size, device=state.gains.device)
        if self.weighting == "fixed_dynamics":
            return everyone
        offsets = torch.rand(groups, dtype=torch.float64, device=state.gains.device)
        local, state.gains, chosen = resample(state.gains, offsets, self.resample_threshold)
        if not bool(chosen.any()):
            return everyone
        ancestors = (local + torch.arange(groups, device=local.device)[:, None] * size).flatten()
        state.state, state.alive = state.state[ancestors], state.alive[ancestors]
        return ancestors

    def _metrics(self, state: ParticleState) -> dict[str, float]:
        if not bool((state.gains < torch.inf).all()):
            raise DivergenceError(f"step {state.number}: a weight is NaN or infinite; see the rewards and the proposal")
        if self.weighting == "fixed_dynamics":
            return {"ess": float(self.particles), "partial_bound": float(state.gains.mean())}
        if not bool((state.gains > -torch.inf).any()):
            raise DivergenceError(f"step {state.number}: every particle has weight 0; the proposal misses the prior")
        gains = state.gains.flatten()
        return {"ess": float(effective_size(gains)), "log_evidence": float(log_mean(gains))}

    def finished(self, state: ParticleState) -> bool:
        """Whether the horizon is reached."""
        return state.number >= state.walk.horizon

    @torch.no_grad()
    def solution(self, model: TrajectoryModel, state: ParticleState) -> Solution:
        """The weighted trajectories as a guide; a run that was ended early is finished in a copy."""
        if not self.finished(state):
            state = state.copy()
            while not self.finished(state):
                self.step(model, state)
        gains, paths = state.gains, state.genealogy.trace()
        honest = self.weighting == "fixed_dynamics"
        if honest:
            bound, stderr = float(gains.mean()), float(gains.std() / gains.numel() ** 0.5)
        else:
            bound, stderr = float(log_mean(gains.flatten())), standard_error(log_mean(gains))
        guide: Any = ParticleGuide(
            model,
            state.walk.policy,
            states=paths.states,
            actions=paths.actions,
            rewards=paths.rewards,
            alive=paths.alive,
            log_weights=torch.zeros_like(gains.flatten()) if honest else gains.flatten(),
            groups=gains.shape[0],
        )
        return Solution(
            model=model,
            method=self,
            policy=guide.policy,
            guide=guide,
            log_evidence_bound=bound,
            log_evidence_bound_stderr=stderr,
            exact=False,
            temperature=model.temperature,
            history={name: tuple(column) for name, column in state.history.items()} | {"lineages": paths.lineages},
        )
