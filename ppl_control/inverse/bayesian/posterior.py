"""What Bayesian inverse RL found: draws of the reward, as ArviZ keeps them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ppl_control.inference import MessagePassing, SoftValueIteration, infer
from ppl_control.inference.base import Solution
from ppl_control.inverse.bayesian.sampling import Draws
from ppl_control.inverse.rewards.base import Reward
from ppl_control.inverse.world import World

if TYPE_CHECKING:
    from arviz import InferenceData

__all__ = ["RewardPosterior", "answer", "arviz"]


@dataclass(frozen=True, eq=False)
class RewardPosterior:
    """A distribution over rewards.

    Attributes:
        method: the settings.
        inference_data: ArviZ's, with the groups ``posterior`` and, for NUTS, ``sample_stats``.
        samples: parameter → draws of all chains in one row, [n, *shape].
        reward: the reward at the posterior mean of its parameters.
        solution: in the model with that reward.
        history: quantity → one number a step of SVI.
        finished: False where Ctrl-C ended the fit: fewer chains or draws, or a Gaussian that has not settled.
    """

    method: Any
    inference_data: InferenceData
    samples: Mapping[str, Tensor]
    reward: Reward
    solution: Solution
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    finished: bool = True

    @property
    def posterior(self) -> Any:
        """The draws as a labelled dataset, (chain, draw, …)."""
        return self.inference_data["posterior"]

    def rewards(self, n: int, seed: int = 0) -> Iterator[Reward]:
        """So many rewards drawn from the posterior, each a module of its own."""
        total = len(next(iter(self.samples.values())))
        generator = torch.Generator().manual_seed(seed)
        for i in torch.randint(total, (n,), generator=generator).tolist():
            yield _at(self.reward, {name: values[i] for name, values in self.samples.items()})

    def _repr_html_(self) -> str:
        return arviz().summary(self.inference_data).to_html(border=0)

    def __repr__(self) -> str:
        draws = len(next(iter(self.samples.values())))
        return f"RewardPosterior({self.method.method}, {draws} draws{'' if self.finished else ', unfinished'})"


def answer(method: Any, world: World, reward: Reward, draws: Draws, seed: int) -> RewardPosterior:
    """The posterior that draws stand for.

    Raises:
        ImportError: ArviZ is not there.
    """
    samples = {name: values.flatten(0, 1) for name, values in draws.values.items()}
    mean = _at(reward, {name: values.mean(0) for name, values in samples.items()})
    model = world.model.replaced(mdp=world.model.mdp.with_reward(mean))
    exact = SoftValueIteration() if method.likelihood == "conditional" else MessagePassing()
    return RewardPosterior(
        method=method,
        inference_data=_as_arviz(method, reward, draws, seed),
        samples=samples,
        reward=mean,
        solution=infer(model, exact, progress=False),
        history=draws.history,
        finished=draws.finished,
    )


def _at(reward: Reward, values: Mapping[str, Tensor]) -> Reward:
    made = deepcopy(reward)
    made.load_state_dict(dict(values), strict=False)  # buffers stay
    return made.requires_grad_(False)


def _as_arviz(method: Any, reward: Reward, draws: Draws, seed: int) -> InferenceData:
    names = getattr(reward, "names", None)
    labels = {} if names is None else {"coords": {"feature": list(names)}, "dims": {"weights": ["feature"]}}
    about = {name: version(name) for name in ("ppl-control", "pyro-ppl", "torch")}
    found = arviz().from_dict(
        posterior={name: values.cpu().numpy() for name, values in draws.values.items()},
        sample_stats=dict(draws.stats) or None,
        **labels,
    )
    found.attrs.update({"method": repr(method), "seed": seed, **{f"{name}_version": v for name, v in about.items()}})
    return found


def arviz() -> Any:
    """ArviZ.

    Raises:
        ImportError: it is not there.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # it announces its own next version at import
            import arviz as found
    except ImportError as error:
        raise ImportError("BayesianIRL reports through ArviZ: pip install 'ppl-control[bayesian]'") from error
    return found
