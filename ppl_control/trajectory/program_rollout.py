"""Trajectories of a user's program: run under a guide, replayed in the model, every term kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyro
import pyro.poutine as poutine
import torch
from jaxtyping import Bool, Float
from pyro.poutine.util import site_is_subsample
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
        gain: log p − log q, nats, [L, n]; −KL(q ‖ p) of the site where that has a closed form.
        closed: whether it has, [L].
        reward: what the site pays, reward units, [L, n]: r at reward sites, else α · log factor.
        drawn: whether the guide drew the site, [L].
        ordered: program order is the same in all runs, so that later terms may be told from earlier ones.
    """

    names: tuple[str, ...]
    roles: tuple[str, ...]
    values: tuple[Tensor | None, ...]
    log_p: Float[Tensor, "L n"]
    log_q: Float[Tensor, "L n"]
    gain: Float[Tensor, "L n"]
    reward: Float[Tensor, "L n"]
    drawn: Bool[Tensor, " L"]
    closed: Bool[Tensor, " L"]
    ordered: bool

    def rewards(self) -> Float[Tensor, "R n"]:
        """Rewards in program order, reward units: of the reward sites, or of the factors where there are none."""
        paying = "reward" if "reward" in self.roles else "optimality"
        return self.reward[[i for i, role in enumerate(self.roles) if role == paying]]

    def trajectories(self) -> Trajectories:
        """The runs as tensors; the sites must be there in every run."""
        from ppl_control.trajectory.sampling import Trajectories

        rewards = self.rewards().T
        actions = self._stack("action")
        return Trajectories(self._stack("state"), actions, rewards, torch.ones(actions.shape[:2], dtype=torch.bool))

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
        return _join([_run(model, guide, None, 0) for _ in range(n)])
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
    names, roles, values, log_p, log_q, gain, reward, drawn, closed = ([] for _ in range(9))
    for name, node in replayed.nodes.items():
        role = model.program.roles.of(name)
        if node["type"] != "sample" or site_is_subsample(node):
            continue
        if (node["infer"] or {}).get("_deterministic") and role != "reward":
            continue
        free = not node["is_observed"]
        names.append(name)
        roles.append(role)
        values.append(node["value"] if n is not None else node["value"][None])
        log_p.append(_total(node["log_prob"], n, depth))
        log_q.append(_total(believed.nodes[name]["log_prob"], n, depth) if free else torch.zeros_like(log_p[-1]))
        pays = node["value"].expand(node["fn"].batch_shape) if role == "reward" else None
        reward.append(model.temperature * log_p[-1] if pays is None else _total(pays, n, depth))
        drawn.append(free)
        kl = _kl(believed.nodes[name], node) if free else None
        closed.append(kl is not None)
        gain.append(log_p[-1] - log_q[-1] if kl is None else -_total(kl, n, depth))
    columns = (torch.stack([entry.double() for entry in column]) for column in (log_p, log_q, gain, reward))
    return ProgramRollout(
        tuple(names), tuple(roles), tuple(values), *columns, torch.tensor(drawn), torch.tensor(closed), True
    )


def _total(term: Tensor, n: int | None, depth: int) -> Tensor:
    """Sum over the program's own plates: [n]."""
    if n is None:
        return term.sum().reshape(1)
    padded = term.reshape((1,) * (depth + 1 - term.ndim) + tuple(term.shape))
    return padded.sum(tuple(range(-depth, 0))).expand(n) if depth else padded.expand(n)


def _kl(guide_site: Any, model_site: Any) -> Tensor | None:
    """KL(q ‖ p) of one site, nats; None where torch knows no closed form or a handler scales or masks the site."""
    for site in (guide_site, model_site):
        if site["mask"] is not None or not isinstance(site["scale"], float) or site["scale"] != 1.0:
            return None
    try:
        return torch.distributions.kl_divergence(guide_site["fn"], model_site["fn"])
    except NotImplementedError:
        return None


def _join(runs: list[ProgramRollout]) -> ProgramRollout:
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
        torch.stack([column(name, "gain") for name in names]),
        torch.stack([column(name, "reward") for name in names]),
        torch.stack([first[name][0].drawn[first[name][1]] for name in names]),
        torch.stack([first[name][0].closed[first[name][1]] for name in names]),
        False,
    )
