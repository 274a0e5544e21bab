"""A user's own Pyro function as a trajectory model: sites get roles, nothing else is asked of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyro
import pyro.poutine as poutine
import torch
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from ppl_control.randomness import RandomStream
from ppl_control.settings import shown, tried, truth
from ppl_control.trajectory.roles import DEFAULT_ROLES, ROLES, Roles, family, time_index

__all__ = ["Site", "UserProgram"]

PROBES = 64  # runs that look for the sites of a program, which may branch


@dataclass(frozen=True)
class Site:
    """What one probing run saw of a site.

    Attributes:
        name: the site's name.
        role: its role.
        cardinality: number of values 0 … n−1, where finite; None otherwise.
        event_dim: dimensions of one value: 0 for a scalar.
        size: number of entries of one value.
        plate_dims: batch dimensions its plates use (negative).
        observed: whether the program fixes the value.
        factor: whether its probability counts, as that of an observation or a ``pyro.factor``, not of what follows from
            other sites (``pyro.deterministic``).
    """

    name: str
    role: str
    cardinality: int | None
    event_dim: int
    size: int
    plate_dims: tuple[int, ...]
    observed: bool
    factor: bool


class UserProgram:
    """A Pyro function of no arguments, its sites' roles, and the factors its rewards stand for.

    Args:
        function: the program.
        horizon: number of decisions.
        temperature: α of the factors added for ``pyro.deterministic`` rewards, reward units per nat.
        roles: site name or pattern → role; None: ``s_*`` state, ``a_*`` action, ``r_*`` reward, ``O_*`` optimality.
        policy_sees: roles or families of sites that the policy is shown, latest value each.
        batched: the function works on batches of values (no branching on them).

    Raises:
        ValueError: a pattern that no site has, no action site, several families of actions, more decisions
            than the horizon, a family to be seen that does not exist, nothing that makes one run better than another.
    """

    def __init__(
        self,
        function: Callable[[], Any],
        horizon: int,
        temperature: float,
        roles: Mapping[str, str] | None,
        policy_sees: Sequence[str],
        batched: bool,
    ) -> None:
        if isinstance(function, type) or not callable(function):
            raise ValueError(f"program: expected a function without arguments, got {shown(function)}")
        if roles is not None and not isinstance(roles, Mapping):
            raise ValueError(f"roles: expected site name or pattern → role, got {shown(roles)}")
        if isinstance(policy_sees, str | bytes) or not isinstance(policy_sees, Sequence):
            raise ValueError(f"policy_sees: expected roles or families of sites, got {shown(policy_sees)}")
        self.function, self.horizon, self.temperature = function, horizon, temperature
        given = DEFAULT_ROLES if roles is None else dict(roles)
        always = {"r_*": "reward", "O_*": "optimality", "optimality_*": "optimality"}
        self.roles = Roles(given | {name: role for name, role in always.items() if name not in given})
        self.policy_sees, self.batched = tuple(policy_sees), truth("batched", batched)
        self.sites, self.digest = self._probe()
        self._check(named=roles or {})

    def __call__(self) -> Any:
        """Run the program with the factor exp(r/α) at every reward site whose step brings none of its own."""
        with _RewardFactors(self):
            return self.function()

    def _probe(self) -> tuple[dict[str, Site], str]:
        """The sites of seeded runs, and a digest of their values and log-probabilities."""
        sites: dict[str, Site] = {}
        digest = hashlib.sha256()
        with RandomStream(0), torch.no_grad():
            for _ in range(PROBES):
                for name, node in _sites(self.function).items():
                    sites.setdefault(name, _describe(name, self.roles.of(name), node))
                    digest.update(name.encode())
                    for key in ("value", "log_prob"):
                        table = torch.as_tensor(node[key], dtype=torch.float64)
                        digest.update(table.contiguous().cpu().numpy().tobytes())
        return sites, digest.hexdigest()

    def _check(self, named: Mapping[str, str]) -> None:
        for pattern in named:
            if not any(Roles({pattern: "state"}).of(name) == "state" for name in self.sites):
                raise ValueError(f"roles[{pattern!r}]: the program has no such site; it has {list(self.sites)}")
        drawn = [s.name for s in self.sites.values() if s.role == "optimality" and not s.observed]
        if drawn:
            raise ValueError(f"roles: {drawn[0]!r} is drawn, so it is no optimality factor; give it another role")
        actions = [s.name for s in self.sites.values() if s.role == "action" and not s.observed]
        if not actions:
            raise ValueError(f"roles: no site is an action; the program has {list(self.sites)}")
        if len({family(name) for name in actions}) > 1:
            raise ValueError(f"roles: one action a step is served, got the families {actions}")
        late = [name for name in actions if (time_index(name) or 0) >= self.horizon]
        if late or len(actions) > self.horizon:
            raise ValueError(f"horizon: {self.horizon} decisions, but the program has {actions}")
        families = {family(name) for name in self.sites}
        for seen in self.policy_sees:
            if not isinstance(seen, str) or (seen not in ROLES and seen not in families):
                raise ValueError(f"policy_sees: {shown(seen)} is no role and no family of sites {sorted(families)}")
        if not any(site.role == "reward" or site.factor for site in self.sites.values()):
            raise ValueError(
                f"roles: no site is a reward or an optimality factor, so that every policy is as good as another; the "
                f"program has {list(self.sites)}: write pyro.deterministic('r_0', r), or give roles"
            )

    @cached_property
    def seen(self) -> tuple[Site, ...]:
        """What the policy is shown: one site for each visible family, of its largest cardinality."""
        found: dict[str, Site] = {}
        for site in self.sites.values():
            name = family(site.name)
            named = site.role in self.policy_sees or name in self.policy_sees
            if not named or site.role in ("reward", "optimality"):
                continue
            known = found.get(name, site)
            larger = site.cardinality is None or (known.cardinality or 0) < site.cardinality
            found[name] = site if larger and known.cardinality is not None else known
        return tuple(found.values())

    @property
    def observation_size(self) -> int:
        """Entries of an observation that is not finite: F for a vector, 0 for a single number."""
        if len(self.seen) == 1 and self.seen[0].event_dim == 0:
            return 0
        return sum(site.size for site in self.seen)

    @property
    def num_observations(self) -> int | None:
        """Number of joint values of what the policy is shown; None where it is not finite."""
        sizes = [site.cardinality for site in self.seen]
        return None if None in sizes else math.prod(size or 1 for size in sizes)

    def observe(self, *values: Tensor) -> Tensor:
        """One observation of all visible values.

        A joint index [...] where all are finite; a single value as it is; else all entries as a vector [..., F].
        """
        if self.num_observations is None and len(values) == 1:
            return values[0]
        if self.num_observations is None:
            parts = [
                value.reshape(*value.shape[: value.ndim - site.event_dim], site.size)
                for value, site in zip(values, self.seen, strict=False)
            ]
            batch = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
            return torch.cat([part.expand(*batch, -1).to(torch.float64) for part in parts], -1)
        index = torch.zeros((), dtype=torch.long)
        for value, site in zip(values, self.seen, strict=False):
            index = index * (site.cardinality or 1) + value.long()
        return index


class _RewardFactors(Messenger):
    """After every reward site ``r_t`` comes the factor ``O_t`` = exp(r/α), unless the program has its own."""

    def __init__(self, program: UserProgram) -> None:
        super().__init__()
        self.program = program

    def _pyro_post_sample(self, msg: Any) -> None:
        if self.program.roles.of(msg["name"]) != "reward":
            return
        index = time_index(msg["name"])
        suffix = msg["name"] if index is None else index
        taken = self.program.sites.get(f"O_{suffix}")
        if taken is None or taken.role != "optimality":
            name = f"O_{suffix}" if taken is None else f"optimality_{suffix}"
            pyro.factor(name, msg["value"] / self.program.temperature, has_rsample=False)


def _sites(function: Callable[[], Any]) -> dict[str, Any]:
    """The sites of one run, or a ValueError where the program fails or draws what is no number."""

    def run() -> Any:
        trace = poutine.trace(function).get_trace()
        trace.compute_log_prob()
        return trace

    trace = tried("program", run)
    sites = {n: node for n, node in trace.nodes.items() if node["type"] == "sample" and not site_is_subsample(node)}
    for name, node in sites.items():
        if not isinstance(node["value"], Tensor | int | float) or bool(
            torch.isnan(torch.as_tensor(node["value"])).any()
        ):
            raise ValueError(f"program: expected numbers at the site {name!r}, got {shown(node['value'])}")
    return sites


def _describe(name: str, role: str, node: Any) -> Site:
    cardinality = None
    if node["fn"].has_enumerate_support and not node["is_observed"]:
        support = node["fn"].enumerate_support(expand=False).reshape(-1)
        if torch.equal(support.long(), torch.arange(len(support))):
            cardinality = len(support)
    fn, observed = node["fn"], node["is_observed"]
    return Site(
        name=name,
        role=role,
        cardinality=cardinality,
        event_dim=fn.event_dim,
        size=fn.event_shape.numel(),
        plate_dims=tuple(frame.dim for frame in node["cond_indep_stack"] if frame.vectorized),
        observed=observed,
        factor=observed and not node["infer"].get("_deterministic"),
    )
