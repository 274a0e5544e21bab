"""Trajectories of a user's program: run under a guide, replayed in the model, every term kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyro
import pyro.poutine as poutine
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ppl_control.trajectory.model import TrajectoryModel

if TYPE_CHECKING:
    from ppl_control.trajectory.sampling import Trajectories

__all__ = ["ProgramRollout", "plate_depth", "sample_program"]


def plate_depth(model: TrajectoryModel) -> int:
    """How many batch dimensions the program's own plates take, counted from the right."""
    sites = getattr(model.program, "sites", {}).values()
    return max((-dim for site in sites for dim in site.plate_dims), default=0)


@dataclass(frozen=True, eq=False)
class ProgramRollout:
    """n runs of a program under a guide; L sites in program order.

    Attributes:
        names: the L sites.
        roles: their roles.
        values: their values, each [n, …]; None where a branch skipped the site in some run.
        log_p: log-probability in the model, nats, [L, n]; optimality factors included.
        log_q: log-probability in the guide, nats, [L, n]; 0 for what is observed.
        drawn: whether the guide drew the site, [L].
        ordered: program order is the same in all runs, so that later terms may be told from earlier ones.
        temperature: α, reward units per nat.
    """

    names: tuple[str, ...]
    roles: tuple[str, ...]
    values: tuple[Tensor | None, ...]
    log_p: Float[Tensor, "L n"]
    log_q: Float[Tensor, "L n"]
    drawn: Bool[Tensor, " L"]
    ordered: bool
    temperature: float

    def rewards(self) -> Float[Tensor, "R n"]:
        """α · log factor of every optimality site in program order, reward units: r where r_t was written."""
        kept = [i for i, role in enumerate(self.roles) if role == "optimality"]
        if not kept:
            return self.log_p.new_zeros(1, self.log_p.shape[1])
        return self.temperature * self.log_p[kept]

    def trajectories(self) -> Trajectories:
        """The runs as tensors; the sites must be there in every run."""
        from ppl_control.trajectory.sampling import Trajectories

        rewards = self.rewards().T
        actions = self._stack("action")
        return Trajectories(
            self._stack("state"), actions, rewards, torch.ones(actions.shape[:2], dtype=torch.bool)
        )

    def _stack(self, role: str) -> Tensor:
        n = self.log_p.shape[1]
        values = [v for v, r in zip(self.values, self.roles, strict=True) if r == role]
        if any(value is None for value in values):
            raise ValueError(f"sample: the program's branches skip some {role} sites; their values form no table")
        found = [value.expand(n, *value.shape[1:]) for value in values if value is not None]
        return torch.stack(found, 1) if found else torch.zeros(n, 0)


def sample_program(model: TrajectoryModel, guide: Callable[[], Any], n: int) -> ProgramRollout:
    """Run the guide n times and score the runs in the model, from torch's current random stream.

    Raises:
        ValueError: the program cannot be run on batches of values.
    """
    if not model.program.batched:
        return _join([_run(model, guide, None, 0) for _ in range(n)], model)
    try:
        return _run(model, guide, n, plate_depth(model))
    except (RuntimeError, IndexError) as error:
        raise ValueError(
            f"program: it failed on a batch of {n} values ({error}); pass batched=False to from_program "
            "if it branches on values"
        ) from error


def _run(model: TrajectoryModel, guide: Callable[[], Any], n: int | None, depth: int) -> ProgramRollout:
    def runner(function: Callable[[], Any]) -> Callable[[], Any]:
        if n is None:
            return function

        def inside() -> Any:
            with pyro.plate("trajectories", n, dim=-1 - depth):
                return function()

        return inside

    believed = poutine.trace(runner(guide)).get_trace()
    replayed = poutine.trace(poutine.replay(runner(model.model), trace=believed)).get_trace()
    for trace in (believed, replayed):
        trace.compute_log_prob()
    names, roles, values, log_p, log_q, drawn = [], [], [], [], [], []
    for name, node in replayed.nodes.items():
        if node["type"] != "sample" or node["infer"].get("_deterministic") or name == "trajectories":
            continue
        if type(node["fn"]).__name__ == "_Subsample":
            continue
        role = model.program.roles.of(name)
        unit = name.startswith("O_") and type(node["fn"]).__name__ == "Unit"
        names.append(name)
        roles.append("optimality" if unit else role)
        values.append(node["value"] if n is not None else node["value"][None])
        log_p.append(_total(node["log_prob"], n, depth))
        free = not node["is_observed"]
        drawn.append(free)
        log_q.append(_total(believed.nodes[name]["log_prob"], n, depth) if free else log_p[-1] * 0)
    return ProgramRollout(
        tuple(names),
        tuple(roles),
        tuple(values),
        torch.stack(log_p),
        torch.stack(log_q),
        torch.tensor(drawn),
        True,
        model.temperature,
    )


def _total(log_prob: Tensor, n: int | None, depth: int) -> Tensor:
    """Sum over the program's own plates: [n]."""
    if n is None:
        return log_prob.sum().reshape(1)
    padded = log_prob.reshape((1,) * (depth + 1 - log_prob.ndim) + tuple(log_prob.shape))
    return padded.sum(tuple(range(-depth, 0))).expand(n) if depth else padded.expand(n)


def _join(runs: list[ProgramRollout], model: TrajectoryModel) -> ProgramRollout:
    """One table from runs that may have skipped sites; a skipped site contributes 0."""
    first = {name: (run, i) for run in reversed(runs) for i, name in enumerate(run.names)}
    names = list(dict.fromkeys(name for run in runs for name in run.names))
    index = [{name: i for i, name in enumerate(run.names)} for run in runs]

    def column(name: str, table: str) -> Tensor:
        zero = runs[0].log_p.new_zeros(1)
        return torch.cat([
            getattr(run, table)[where[name]] if name in where else zero
            for run, where in zip(runs, index, strict=True)
        ])  # fmt: skip

    def values(name: str) -> Tensor | None:
        if not all(name in where for where in index):
            return None
        found = [run.values[where[name]] for run, where in zip(runs, index, strict=True)]
        return torch.cat([value for value in found if value is not None])

    return ProgramRollout(
        tuple(names),
        tuple(first[name][0].roles[first[name][1]] for name in names),
        tuple(values(name) for name in names),
        torch.stack([column(name, "log_p") for name in names]),
        torch.stack([column(name, "log_q") for name in names]),
        torch.stack([first[name][0].drawn[first[name][1]] for name in names]),
        False,
        model.temperature,
    )
