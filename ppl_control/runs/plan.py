"""What is to be run: models with their methods, and seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, SupportsIndex

from ppl_control.inference.contracts import ExactMethod, IterativeMethod
from ppl_control.randomness import check_seed
from ppl_control.settings import shown, whole
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Job", "Plan", "Variant", "named_methods", "named_models"]


@dataclass(frozen=True, eq=False)
class Variant:
    """A model or a method as some settings make it.

    Example:
        >>> Variant("hiking", object(), {"noise": 0.1, "action_prior": "uniform"}).label
        'hiking noise=0.1, action_prior=uniform'
    """

    name: str
    made: Any
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What tables call it."""
        given = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return f"{self.name} {given}" if given else self.name


@dataclass(frozen=True, eq=False)
class Job:
    """One run to be made: a method on a model with a seed."""

    model: Variant
    method: Variant
    seed: int
    episodes: int
    threads: int

    def __str__(self) -> str:
        return f"{self.method.label} on {self.model.label}, seed {self.seed}"


@dataclass(frozen=True, eq=False)
class Plan:
    """All runs of a comparison, checked before the first one.

    Args:
        pairs: models, each with the methods to be run on it.
        seeds: seeds of fitting and evaluation.
        episodes: simulated episodes, where there are no tables.
        threads: how many threads a run may use.

    Raises:
        ValueError: nothing to run, a setting out of its range, or a method that cannot serve its model.
    """

    pairs: Sequence[tuple[Variant, Sequence[Variant]]]
    seeds: Sequence[int]
    episodes: int = 1000
    threads: int = 1

    def __post_init__(self) -> None:
        try:
            seeds = tuple(self.seeds)
        except TypeError as error:
            raise ValueError(f"seeds: expected integers, got {shown(self.seeds)}") from error
        if not self.pairs or not all(methods for _, methods in self.pairs) or not seeds:
            raise ValueError("models, methods, seeds: expected at least one of each")
        if not all(isinstance(seed, SupportsIndex) and not isinstance(seed, bool) for seed in seeds):
            raise ValueError(f"seeds: expected integers, got {shown(list(seeds))}")
        object.__setattr__(self, "seeds", tuple(check_seed(seed, "seeds") for seed in seeds))
        object.__setattr__(self, "episodes", whole("episodes", self.episodes, 2))
        object.__setattr__(self, "threads", whole("threads", self.threads, 1))
        for model, methods in self.pairs:
            if not isinstance(model.made, TrajectoryModel):
                raise ValueError(f"models: {model.label!r} is {shown(model.made)}, no TrajectoryModel")
            for method in methods:
                _check(model, method)

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """One job a row of the table, in its order: by model, then method, then seed."""
        return tuple(
            Job(model, method, seed, self.episodes, self.threads)
            for model, methods in self.pairs
            for method in methods
            for seed in self.seeds
        )

    def described(self) -> dict[str, Any]:
        """Models, methods and settings in words."""
        methods = [method for _, chosen in self.pairs for method in chosen]
        return {
            "methods": _described(methods),
            "models": _described(model for model, _ in self.pairs),
            "seeds": list(self.seeds),
            "episodes": self.episodes,
        }


def _described(variants: Iterable[Variant]) -> dict[str, str]:
    return {variant.label: repr(variant.made) for variant in variants}


def _check(model: Variant, method: Variant) -> None:
    if isinstance(method.made, type) or not isinstance(method.made, ExactMethod | IterativeMethod):
        raise ValueError(f"methods: {method.label!r} is {shown(method.made)}, no inference method")
    try:
        method.made.check(model.made)
    except ValueError as error:
        raise ValueError(f"method {method.label!r} on model {model.label!r}: {error}") from error


def named_models(models: Any) -> Mapping[str, Any]:
    """Name → model; one alone is called "model"."""
    return models if isinstance(models, Mapping) else {"model": models}


def named_methods(methods: Any) -> Mapping[str, Any]:
    """Name → method.

    Raises:
        ValueError: methods without names.
    """
    if not isinstance(methods, Mapping):
        raise ValueError(f"methods: expected name → method, got {shown(methods)}")
    return methods
