"""The guide as the model seen through a handler."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
from pyro.distributions import Categorical, Unit
from pyro.distributions.torch_distribution import TorchDistributionMixin
from pyro.poutine.messenger import Messenger
from torch import Tensor, nn

from ppl_control.settings import tried
from ppl_control.trajectory.masked import impossible
from ppl_control.trajectory.roles import Roles, family, time_index

__all__ = ["Context", "Detached", "GuideMessenger", "Program", "restricted"]


class Program(Protocol):
    """A per-site program whose sites' roles are known."""

    horizon: int | None
    roles: Roles
    policy_sees: tuple[str, ...]
    batched: bool

    def __call__(self) -> Any:
        """Run the program once."""

    def observe(self, state: Any) -> Any:
        """What a policy is shown of the visible values."""


class Context:
    """What has happened so far in one run: the latest value of every family of sites, and the clock."""

    def __init__(self) -> None:
        self.latest: dict[str, Tensor] = {}
        self.roles: dict[str, str] = {}
        self.decisions = 0

    def record(self, name: str, role: str, value: Tensor) -> None:
        """Remember a value."""
        self.latest[family(name)] = value
        self.roles[family(name)] = role

    def visible(self, roles: tuple[str, ...]) -> dict[str, Tensor]:
        """Latest values of the families in the given roles (or of the given names)."""
        return {name: value for name, value in self.latest.items() if self.roles[name] in roles or name in roles}


Move = Callable[[str, str, Context, Any], Any]


class GuideMessenger(Messenger):
    """Run a program as a guide: the policy acts, ``move`` may replace state sites, the factors fall silent.

    Args:
        program: the program whose sites are to be replaced.
        policy: q(a|s,t), put at every action site; it gets no mass where the model has none.
        move: (site name, role, context, the model's distribution) → the distribution of a state or latent
            site; None keeps the model's own, so that its terms cancel in the ELBO.
    """

    def __init__(self, program: Program, policy: nn.Module | None, move: Move | None = None) -> None:
        super().__init__()
        self.program, self.policy, self.move = program, policy, move
        self.context = Context()

    def __enter__(self) -> Any:
        self.context = Context()
        return super().__enter__()

    def _pyro_sample(self, msg: Any) -> None:
        name, role = msg["name"], self.program.roles.of(msg["name"])
        if msg["is_observed"]:
            msg["infer"]["is_auxiliary"] = True
            if isinstance(msg["fn"], Unit):
                # Not hidden but made 1: a blocked factor would break the enumeration messenger's scopes.
                silent = torch.zeros_like(msg["fn"].log_factor)
                msg["fn"] = Unit(silent, has_rsample=False)
                msg["value"] = silent.new_empty((*silent.shape, 0))
            elif not msg["infer"].get("_deterministic"):
                msg["fn"] = msg["fn"].mask(False)
        elif role == "action" and self.policy is not None:
            index = time_index(name)
            t = self.context.decisions if index is None else index
            seen = self.program.observe(*self.context.visible(self.program.policy_sees).values())
            msg["fn"] = restricted(tried("policy", partial(self.policy, seen, t), f"at the site {name!r}"), msg["fn"])
        elif role in ("state", "latent") and self.move is not None:
            msg["fn"] = self.move(name, role, self.context, msg["fn"])

    def _pyro_post_sample(self, msg: Any) -> None:
        role = self.program.roles.of(msg["name"])
        if role in ("state", "latent", "action"):
            self.context.record(msg["name"], role, msg["value"])
            self.context.decisions += role == "action"


class Detached(Messenger):
    """Sampled values carry no gradient: a reparameterised one would take it past log q. Enter it first."""

    def _pyro_post_sample(self, msg: Any) -> None:
        msg["value"] = msg["value"].detach()


def restricted(proposal: Any, model: Any) -> Any:
    """A proposal in Pyro's clothes, without mass where the model's categorical has none."""
    if isinstance(proposal, torch.distributions.Categorical):
        logits = proposal.logits
        if isinstance(model, torch.distributions.Bernoulli) and logits.shape[-1] == 2:
            return type(model)(logits=logits[..., 1] - logits[..., 0])  # its values are floats
        if isinstance(model, torch.distributions.Categorical):
            sure = model.logits.amax(-1, keepdim=True) == 0  # a point mass, as at the silent end, leaves no choice
            logits = torch.where(sure, model.logits, torch.where(impossible(model), -torch.inf, logits))
        return Categorical(logits=logits)
    if not isinstance(proposal, TorchDistributionMixin):
        raise ValueError(
            f"policy: a distribution from pyro.distributions is needed here, got {type(proposal).__name__}"
        )
    return proposal
