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

from ppl_control.trajectory.handlers import Detached
from ppl_control.trajectory.masked import closed_kl
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.silent_end import silence

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
            f"program or policy: failed on a batch of {n} values ({error}); pass batched=False to from_program "
            "if the program branches on values, and see that the policy fits its sites"
        ) from error


def _run(model: TrajectoryModel, guide: Callable[[], Any], n: int | None, depth: int) -> ProgramRollout:
    def runner(function: Callable[[], Any]) -> Callable[[], Any]:
        if n is None:
            return function

        def inside() -> Any:
            with pyro.plate("trajectories", n, dim=-1 - depth):
                return function()

        return inside

    with Detached():  # a reparameterised value would carry the guide's gradient past log q
        believed = poutine.trace(runner(guide)).get_trace()
    replayed = poutine.trace(poutine.replay(runner(model.model), trace=believed)).get_trace()
    silence(model, believed, replayed)
    for trace in (believed, replayed):
        trace.compute_log_prob()
    rows = [
        _row(model, name, node, believed.nodes.get(name), n, depth)
        for name, node in replayed.nodes.items()
        if _counts(model, name, node)
    ]
    return ProgramRollout(
        names=tuple(row.name for row in rows),
        roles=tuple(row.role for row in rows),
        values=tuple(row.value for row in rows),
        log_p=torch.stack([row.log_p for row in rows]).double(),
        log_q=torch.stack([row.log_q for row in rows]).double(),
        gain=torch.stack([row.gain for row in rows]).double(),
        reward=torch.stack([row.reward for row in rows]).double(),
        drawn=torch.tensor([row.drawn for row in rows]),
        closed=torch.tensor([row.closed for row in rows]),
        ordered=True,
    )


@dataclass(frozen=True, eq=False)
class _Row:
    """One site of a ``ProgramRollout``."""

    name: str
    role: str
    value: Tensor
    log_p: Tensor
    log_q: Tensor
    gain: Tensor
    reward: Tensor
    drawn: bool
    closed: bool


def _counts(model: TrajectoryModel, name: str, node: Any) -> bool:
    if node["type"] != "sample" or site_is_subsample(node):
        return False
    return not node["infer"].get("_deterministic") or model.program.roles.of(name) == "reward"


def _row(model: TrajectoryModel, name: str, node: Any, guide_node: Any, n: int | None, depth: int) -> _Row:
    role, drawn = model.program.roles.of(name), not node["is_observed"]
    log_p = _total(node["log_prob"], n, depth)
    kept = drawn and guide_node is None  # a site the guide leaves out is the model's own: its terms cancel
    own: Any = node if guide_node is None else guide_node
    log_q = _total(own["log_prob"], n, depth) if drawn else torch.zeros_like(log_p)
    kl = _kl(own, node) if drawn and not kept else None
    gain = log_p - log_q if kl is None else -_total(kl, n, depth)
    reward = model.temperature * log_p
    if "reward" in node["infer"]:
        reward = _total(node["infer"]["reward"], n, depth)
    if role == "reward":
        reward = _total(node["value"].expand(node["fn"].batch_shape), n, depth)
    value = node["value"] if n is not None else node["value"][None]
    return _Row(name, role, value, log_p, log_q, gain, reward, drawn and not kept, kl is not None)


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
    return closed_kl(guide_site["fn"], model_site["fn"])


def _join(runs: list[ProgramRollout]) -> ProgramRollout:
    """One table from runs that may have skipped sites; a skipped site contributes 0."""
    index = [{name: i for i, name in enumerate(run.names)} for run in runs]
    names = list(dict.fromkeys(name for run in runs for name in run.names))
    seen = {name: (run, where[name]) for run, where in zip(runs, index, strict=True) for name in where}

    def table(column: str) -> Tensor:
        zero = runs[0].log_p.new_zeros(1)
        return torch.stack([
            torch.cat([
                getattr(run, column)[where[name]] if name in where else zero
                for run, where in zip(runs, index, strict=True)
            ])
            for name in names
        ])  # fmt: skip

    def values(name: str) -> Tensor | None:
        if not all(name in where for where in index):
            return None
        found = [run.values[where[name]] for run, where in zip(runs, index, strict=True)]
        return torch.cat([value for value in found if value is not None])

    return ProgramRollout(
        names=tuple(names),
        roles=tuple(seen[name][0].roles[seen[name][1]] for name in names),
        values=tuple(values(name) for name in names),
        log_p=table("log_p"),
        log_q=table("log_q"),
        gain=table("gain"),
        reward=table("reward"),
        drawn=torch.stack([seen[name][0].drawn[seen[name][1]] for name in names]),
        closed=torch.stack([seen[name][0].closed[seen[name][1]] for name in names]),
        ordered=False,
    )
