"""The program of a simulator: there is none."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["SampledOnly"]


class SampledOnly:
    """Stands where a model's Pyro program would, and says why it is missing.

    Args:
        name: the simulator's.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self) -> NoReturn:
        """Raise a ValueError: densities of the dynamics are not to be had."""
        raise ValueError(
            f"model: {self.name} can be sampled only, its transitions have no density to write a program with; use "
            "SoftActorCritic, SoftQLearning or SoftPolicyGradient, in whose ELBO the dynamics cancel"
        )
