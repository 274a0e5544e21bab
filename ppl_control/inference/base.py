"""One verb: ``infer(model, method)`` returns a ``Solution``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ppl_control.files import file_path
from ppl_control.guides.bound import BoundGuide
from ppl_control.inference.checkpoint import Keeper, identity, require_every
from ppl_control.inference.contracts import ExactMethod, IterativeMethod, SearchingMethod, missing
from ppl_control.inference.driving import Step, drive
from ppl_control.inference.exact.quadratic_value import QuadraticValue
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.randomness import RandomStream, check_seed
from ppl_control.settings import functions, shown, truth, whole
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.sampling import Trajectories, sample_trajectories

__all__ = [
    "DivergenceError",
    "Solution",
    "Step",
    "infer",
    "require_densities",
    "require_exact",
    "require_tabular",
]


class DivergenceError(RuntimeError):
    """A run left the finite numbers; the message names step, quantity and the last good checkpoint."""


@dataclass(frozen=True, eq=False)
class Solution:
    """What a method found.

    Attributes:
        model: the model it was fitted to.
        method: the method's settings; their text after ``load``.
        policy: q(a|s,t); None for a guide of your own without one.
        guide: q(τ), with ``initial``, ``transition`` (tabular models) and ``policy``; calling it runs it in Pyro.
        log_evidence_bound: nats; log Z itself for exact posteriors, else a lower bound (ELBO).
        log_evidence_bound_stderr: its standard error; 0 where it was computed without sampling.
        exact: the guide is the optimum of its family up to rounding, not a fit.
        temperature: the α that the bound refers to, reward units per nat.
        soft_value: value to go, reward units; [T+1, S], or [S] without a horizon, for tabular models and tables
            learned by playing; a ``QuadraticValue`` for exact linear-Gaussian models.
        soft_q: [T, S, A], or [S, A] without a horizon; reward units. Tables only.
        history: quantity → one number a step, for iterative methods.
        error_bound: largest error of ``soft_value``, reward units, for fixed points; 0 otherwise.
        finished: the method ran to its end; False where Ctrl-C or a callback ended it sooner.
    """

    model: TrajectoryModel
    method: Any
    policy: nn.Module | None
    guide: BoundGuide
    log_evidence_bound: float
    exact: bool
    temperature: float
    soft_value: Tensor | QuadraticValue | None = None
    soft_q: Tensor | None = None
    log_evidence_bound_stderr: float = 0.0
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    error_bound: float = 0.0
    finished: bool = True

    def __post_init__(self) -> None:
        self.guide.requires_grad_(False)  # an answer is read, not trained on

    def sample(self, n: int = 1, seed: int = 0) -> Trajectories:
        """Draw n trajectories as the guide believes them to go."""
        with RandomStream(seed):
            return sample_trajectories(self.model, self.guide, n)

    def sample_plan(self, n: int = 1, seed: int = 0) -> Tensor:
        """Draw n whole action sequences, [n, T] or [n, T, m], from a solution that is a plan.

        Raises:
            ValueError: the solution is a policy, whose actions hang on the states it meets.
        """
        if not hasattr(self.guide, "sample_plan") or getattr(self.policy, "replans", False):
            raise ValueError("sample_plan: this solution is a policy, no plan; use policy(state, t) or sample(n)")
        with RandomStream(seed), torch.no_grad():
            return self.guide.sample_plan(whole("n", n, 1))  # type: ignore[operator]

    def save(self, path: str | Path) -> None:
        """Write the solution to a file that ``load(path, model)`` reads; it holds tensors and numbers only."""
        from ppl_control.inference.saving import save

        save(self, path)

    def __repr__(self) -> str:
        name = self.method if isinstance(self.method, str) else type(self.method).__name__
        about = f"{name}, bound={self.log_evidence_bound:.6g} nats, exact={self.exact}"
        return f"Solution({about})" if self.finished else f"Solution({about}, unfinished)"


def infer(
    model: TrajectoryModel,
    method: ExactMethod | IterativeMethod,
    *,
    seed: int = 0,
    progress: bool = True,
    device: torch.device | str | None = None,
    callbacks: Sequence[Callable[[Step], object]] = (),
    checkpoint: str | Path | None = None,
    checkpoint_every: int | None = None,
    title: str | None = None,
) -> Solution:
    """Fit a method to a model.

    Ctrl-C ends an iterative method, or the search for the fixed point of a large table, after the step in flight, the
    first one at the earliest: the solution is what was found so far, with ``finished`` False, and the same call goes on
    from its checkpoint. A second Ctrl-C raises KeyboardInterrupt at once; the checkpoint then is the last one written.
    So it is in the main thread, where Python receives signals; a program that handles SIGINT itself keeps its handler.

    Args:
        model: the decision problem.
        method: the method's settings; recipes in it are copied, never trained.
        seed: seed of everything random; the caller's random state is untouched.
        progress: show a progress bar on standard error for iterative methods.
        device: where to compute; None: where the model is.
        callbacks: called with a ``Step`` after each step; one that returns True ends the run.
        checkpoint: a file to keep the state in, written now and then and at the end; an existing one is resumed.
            Methods that answer at once write none. On
            a CPU the resumed run ends bit-identical to one that was never stopped. Running episodes of simulators are
            played again from their seed and actions; where that leads elsewhere, a warning says so.
        checkpoint_every: calls of the method's ``step`` between two writes; None: 100, fewer where these take longer
            than 20 s, more where writing would take over a twentieth of the time.
        title: what the progress bar calls the run; None: the method's name.

    Raises:
        ValueError: the method cannot serve the model, a setting is out of its range, or ``checkpoint`` is no
            checkpoint of this run (see ``checkpoint.resume``).
        DivergenceError: the run left the finite numbers.
        KeyboardInterrupt: Ctrl-C before the first step had begun, or twice.

    Example:
        >>> from ppl_control import SoftValueIteration, TabularMDP, TrajectoryModel
        >>> coin = TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 0.0]])
        >>> round(infer(TrajectoryModel(coin, horizon=1), SoftValueIteration()).log_evidence_bound, 6)
        0.693147
    """
    if not isinstance(model, TrajectoryModel):
        raise ValueError(f"model: expected a TrajectoryModel, got {type(model).__name__}")
    if isinstance(method, type) or not isinstance(method, ExactMethod | IterativeMethod):
        raise ValueError(f"method: expected an inference method, got {shown(method)}{missing(method)}")
    seed, progress, callbacks = check_seed(seed), truth("progress", progress), functions("callbacks", callbacks)
    require_every(checkpoint_every)
    if checkpoint is not None:
        checkpoint = file_path("checkpoint", checkpoint)
    if not isinstance(title, str | None):
        raise ValueError(f"title: expected text or None, got {shown(title)}")
    if device is not None:
        model = model.to(device)
    method.check(model)

    def driven(state: Any, step: Callable, finished: Callable[[], bool], total: int | None, note: str = "") -> None:
        keeper = None
        if checkpoint is not None:
            _require_stored(method, state)
            keeper = Keeper(state, identity(model, method, seed), checkpoint, every=checkpoint_every, most=total)
        drive(
            state,
            step,
            finished,
            title=title or type(method).__name__,
            total=total,
            progress=progress,
            note=note,
            callbacks=callbacks,
            keeper=keeper,
        )

    if isinstance(method, ExactMethod):
        if not isinstance(method, SearchingMethod) or (search := method.search(model)) is None:
            return method.solve(model)
        driven(search, search.step, search.finished, None)
        found = method.answer(model, search)
        return found if search.finished() else replace(found, exact=False, finished=False)
    state = method.init(model, seed)
    try:
        total: Any = method.number_of_steps(model) if hasattr(method, "number_of_steps") else method.steps  # type: ignore[attr-defined]
        driven(
            state,
            lambda: _guarded_step(method, model, state, checkpoint),
            lambda: method.finished(state),
            total,
            getattr(state, "note", ""),
        )
        _close(state)  # an environment that there is only one of is free again
        found = method.solution(model, state)
        return found if method.finished(state) else replace(found, finished=False)
    finally:
        _close(state)


def _require_stored(method: object, state: object) -> None:
    """Raise a ValueError where a state cannot be kept in a checkpoint."""
    lacking = [name for name in ("state_dict", "load_state_dict") if not hasattr(state, name)]
    if lacking:
        raise ValueError(f"checkpoint: the state of {type(method).__name__} has no {' and no '.join(lacking)}")


def _close(state: Any) -> None:
    """Give back what a state holds beside memory: environments."""
    if hasattr(state, "close"):
        state.close()


def require_tabular(method: object, model: TrajectoryModel) -> None:
    """Raise a ValueError where a method of tables is given a model without them."""
    if not model.is_tabular:
        raise ValueError(f"{type(method).__name__} needs a tabular model, got {model!r}: use SVI with the guide")


def require_densities(method: object, model: TrajectoryModel) -> None:
    """Raise a ValueError where a method that scores dynamics is given a world that can be sampled only."""
    if model.is_simulator:
        raise ValueError(
            f"{type(method).__name__} needs dynamics with a density, got {model!r}: use SoftActorCritic, SoftQLearning "
            "or SoftPolicyGradient, in whose ELBO the dynamics cancel"
        )


def require_exact(method: object, model: TrajectoryModel) -> None:
    """Raise a ValueError where an exact method is given a model without exact answers."""
    if not model.is_tabular and not isinstance(model.mdp, LinearGaussianMDP):
        raise ValueError(
            f"{type(method).__name__} needs a tabular or linear-Gaussian model, got {model!r}: use SVI with a guide, "
            "or ParticlePlanning; on simulators SoftActorCritic"
        )


def _guarded_step(
    method: IterativeMethod, model: TrajectoryModel, state: Any, checkpoint: str | Path | None
) -> dict[str, float]:
    kept = f"the last good state is in {checkpoint}" if checkpoint else "no checkpoint was kept"
    try:
        with torch.enable_grad():  # also where the caller has switched gradients off
            metrics = method.step(model, state)
    except DivergenceError as error:
        raise DivergenceError(f"{error}; {kept}") from error
    for name, value in metrics.items():
        if math.isnan(value) or value == math.inf:
            raise DivergenceError(f"step {state.number}: {name} is {value}; {kept}")
    return metrics
