"""Recorded behaviour: what a demonstrator saw and did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ppl_control.inverse.demonstrations.triples import listed, read_end, read_triples
from ppl_control.trajectory.sampling import Trajectories

if TYPE_CHECKING:
    from minari import MinariDataset

    from ppl_control.mdp.simulator import SimulatorMDP

__all__ = ["Demonstrations"]


@dataclass(frozen=True, eq=False)
class Demonstrations:
    """Trajectories of a demonstrator, of whatever lengths.

    Attributes:
        states: of each trajectory, [L+1] indices or [L+1, n] vectors. Our own samples of tables end in S, an end whose
            last state was not recorded.
        actions: of each trajectory, [L] indices or [L, m] vectors.
        terminated: whether the world itself ended each trajectory, or None where nobody said (a tabular model knows).
            A trajectory that did not end was cut off: what would have followed is not known.
        survival_drawn: they are samples of a table, in which the discount was drawn as survival, so that trajectories
            die of it; later steps are then not discounted once more.

    Raises:
        ValueError: no trajectories, rows of other things than finite numbers, ends that are none, or lengths that do
            not fit each other; the message names trajectory and step.

    Example:
        >>> two = Demonstrations.from_triples([[(0, 1, 1), (1, 0, 2)], [(0, 0, 2)]])
        >>> len(two), two.num_decisions, two.states[0].tolist()
        (2, 3, [0, 1, 2])
    """

    states: Sequence[Tensor]
    actions: Sequence[Tensor]
    terminated: Sequence[bool | None]
    survival_drawn: bool = False

    def __post_init__(self) -> None:
        for name in ("states", "actions"):
            rows = listed(getattr(self, name), f"{name}: expected a row for each trajectory")
            object.__setattr__(self, name, tuple(_tensor(i, name, row) for i, row in enumerate(rows)))
        ends = listed(self.terminated, "terminated: expected True, False or None for each trajectory")
        ends = tuple(read_end(f"demonstrations[{i}]", said) for i, said in enumerate(ends))
        object.__setattr__(self, "terminated", ends)
        if not isinstance(self.survival_drawn, bool | np.bool_):
            raise ValueError(f"survival_drawn: expected True or False, got {self.survival_drawn!r}")
        object.__setattr__(self, "survival_drawn", bool(self.survival_drawn))
        self._check_lengths()
        _check_finite("state", self.states)
        _check_finite("action", self.actions)

    def _check_lengths(self) -> None:
        if not len(self.states):
            raise ValueError("demonstrations: expected at least one trajectory, got none")
        if not len(self.states) == len(self.actions) == len(self.terminated):
            raise ValueError(
                f"demonstrations: expected as many rows of states, actions and ends, got {len(self.states)}, "
                f"{len(self.actions)} and {len(self.terminated)}"
            )
        for i, (states, actions) in enumerate(zip(self.states, self.actions, strict=True)):
            if len(states) != len(actions) + 1:
                raise ValueError(
                    f"demonstrations[{i}]: expected one state more than actions, got {len(states)} and {len(actions)}"
                )
        if not self.num_decisions:
            raise ValueError("demonstrations: expected at least one decision, got empty trajectories")

    def __len__(self) -> int:
        return len(self.states)

    @property
    def num_decisions(self) -> int:
        """Steps of all trajectories together."""
        return sum(len(actions) for actions in self.actions)

    @classmethod
    def from_triples(cls, trajectories: Iterable[Iterable[Sequence[Any]]]) -> Demonstrations:
        """From lists of (state, action, next state), or (state, action, next state, terminated), one list a trajectory.

        Args:
            trajectories: for each the list of its steps.

        Raises:
            ValueError: no such tuple, steps that do not follow each other, or steps after the end.
        """
        return cls(*read_triples(trajectories))

    @classmethod
    def from_trajectories(cls, trajectories: Trajectories, *, survival_drawn: bool | None = None) -> Demonstrations:
        """From our own ``Solution.sample``.

        Args:
            trajectories: sampled ones.
            survival_drawn: whether the discount ended them; None: where states are indices, as tabular models do.
                Say False for a simulator whose observations are discrete.

        Raises:
            ValueError: something else than sampled trajectories, or none with a decision.
        """
        if not isinstance(trajectories, Trajectories):
            raise ValueError(f"trajectories: expected what Solution.sample returns, got {trajectories!r}")
        lengths = trajectories.alive.sum(-1).tolist()
        indices = not trajectories.states.is_floating_point()
        return cls(
            [states[: length + 1] for states, length in zip(trajectories.states, lengths, strict=True)],
            [actions[:length] for actions, length in zip(trajectories.actions, lengths, strict=True)],
            [None] * len(lengths),
            indices if survival_drawn is None else survival_drawn,
        )

    @classmethod
    def from_minari(cls, dataset: MinariDataset | str) -> Demonstrations:
        """From a Minari dataset; see ``demonstrations.minari.from_minari``.

        Args:
            dataset: the dataset, or the id of a local one.
        """
        from ppl_control.inverse.demonstrations.minari import from_minari

        return from_minari(dataset)

    def to_minari(
        self,
        mdp: SimulatorMDP,
        dataset_id: str,
        *,
        algorithm_name: str | None = None,
        author: str | None = None,
        author_email: str | None = None,
        code_permalink: str | None = None,
        description: str | None = None,
    ) -> MinariDataset:
        """Written as a local Minari dataset; see ``demonstrations.minari.to_minari``."""
        from ppl_control.inverse.demonstrations.minari import to_minari

        return to_minari(
            self,
            mdp,
            dataset_id,
            algorithm_name=algorithm_name,
            author=author,
            author_email=author_email,
            code_permalink=code_permalink,
            description=description,
        )

    def __repr__(self) -> str:
        return f"Demonstrations({len(self)} trajectories, {self.num_decisions} decisions)"


def _tensor(i: int, name: str, rows: Any) -> Tensor:
    try:
        column = torch.as_tensor(rows.copy() if isinstance(rows, np.ndarray) and not rows.flags.writeable else rows)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        column = torch.zeros((), dtype=torch.bool)
    wrong = column.dtype == torch.bool or column.is_complex() or column.layout != torch.strided
    if wrong or column.ndim not in (1, 2):
        raise ValueError(f"demonstrations[{i}]: expected {name} as a row of numbers or of vectors, got {rows!r}")
    if column.dtype == torch.int64:
        return column
    if column.dtype == torch.uint64 and bool((column.long() < 0).any()):
        step = int((column.long() < 0).nonzero()[0, 0])
        raise ValueError(f"demonstrations[{i}] step {step}: expected {name} below 2⁶³, got {column[step].tolist()}")
    return column if column.is_floating_point() else column.long()  # torch would take bytes for a mask


def _check_finite(what: str, columns: Sequence[Tensor]) -> None:
    floats = [rows.reshape(-1) for rows in columns if rows.is_floating_point()]
    if not floats or bool(torch.cat(floats).isfinite().all()):  # at once, where all is well
        return
    for i, rows in enumerate(columns):
        if bool((wrong := ~rows.isfinite()).any()):
            step = int(wrong.nonzero()[0, 0])
            raise ValueError(f"demonstrations[{i}] step {step}: expected a finite {what}, got {rows[step].tolist()}")
