"""Acting while learning: numpy on the live weights, since a torch call costs more than the arithmetic here."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ppl_control.policies.gaussian import LOG_SCALE, SquashedGaussianMLP
from ppl_control.policies.mlp import CategoricalMLP
from ppl_control.policies.network import StateNetwork
from ppl_control.trajectory.acting import act_by_policy
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Acting", "CategoricalActing", "PolicyActing", "SquashedActing"]

LOG_ROOT_TWO_PI = np.float32(0.5 * np.log(2 * np.pi))


class Acting(Protocol):
    """Draws actions for what n environments show."""

    def draw(self, rounds: int, n: int, generator: torch.Generator) -> Any:
        """The randomness of so many rounds, one entry each."""
        ...

    def act(self, observation: np.ndarray, noise: Any) -> tuple[np.ndarray, np.ndarray]:
        """Actions [n, m] or [n], and log π0 − log π of them, nats, [n]."""
        ...


class SquashedActing:
    """Draws from a ``SquashedGaussianMLP``.

    Args:
        policy: whose weights are looked at whenever it acts.
        log_prior: log π0, nats, the same for every action.
    """

    def __init__(self, policy: SquashedGaussianMLP, log_prior: float) -> None:
        assert policy.bounds.low is not None
        assert policy.bounds.high is not None
        self._network = _Network(policy.network)
        self._low, self._high = (bound.cpu().numpy() for bound in (policy.bounds.low, policy.bounds.high))
        self._scale, self._log_prior = np.float32(policy.bounds.start_scale), np.float32(log_prior)

    def draw(self, rounds: int, n: int, generator: torch.Generator) -> np.ndarray:
        """Standard normals, [rounds, n, m]."""
        return torch.randn(rounds, n, len(self._low), generator=generator).numpy()

    def act(self, observation: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See ``Acting``; the same arithmetic as ``squashed_draw``."""
        numbers = self._network(observation)
        m = len(self._low)
        mean, raw = numbers[:, :m], numbers[:, m:]
        lowest, highest = LOG_SCALE
        edge = np.where(raw > 0, np.float32(highest), np.float32(-lowest))
        log_scale = edge * np.tanh(raw / edge) + np.log(self._scale)
        x = mean + np.exp(log_scale) * noise
        half = (self._high - self._low) / 2
        action = np.clip(self._low + half * (1 + np.tanh(x)), self._low, self._high)
        # log σ(2x) σ(−2x) = −2 |x| − 2 log(1 + exp(−2|x|)): no digits lost, nothing overflows
        away = np.abs(x)
        log_jacobian = np.log(half) + 2 * (np.log(np.float32(2)) - away - np.log1p(np.exp(-2 * away)))
        log_prob = (-0.5 * noise * noise - log_scale - LOG_ROOT_TWO_PI - log_jacobian).sum(-1)
        return action, self._log_prior - log_prob


class CategoricalActing:
    """Draws from a ``CategoricalMLP``.

    Args:
        policy: whose weights are looked at whenever it acts.
        log_prior: log π0, nats, the same for every action.
    """

    def __init__(self, policy: CategoricalMLP, log_prior: float) -> None:
        self._network = _Network(policy.network)
        self._log_prior = np.float32(log_prior)

    def draw(self, rounds: int, n: int, generator: torch.Generator) -> np.ndarray:
        """Uniform numbers, [rounds, n]."""
        return torch.rand(rounds, n, generator=generator).numpy()

    def act(self, observation: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See ``Acting``; ``log π0 − log π`` is its mean over the actions, which has no noise in it."""
        numbers = self._network(observation)
        logits = numbers - numbers.max(-1, keepdims=True)
        probs = np.exp(logits)
        total = probs.sum(-1, keepdims=True)
        probs /= total
        action = np.minimum((probs.cumsum(-1) <= noise[:, None]).sum(-1), probs.shape[-1] - 1)
        entropy = -(probs * (logits - np.log(total))).sum(-1)
        return action, self._log_prior + entropy


class PolicyActing:
    """Draws from any policy, from torch's current random stream."""

    def __init__(self, model: TrajectoryModel, policy: nn.Module) -> None:
        self._act, self._device = act_by_policy(model, policy), model.mdp.device

    def draw(self, rounds: int, n: int, generator: torch.Generator) -> list[None]:
        """Nothing: the policy draws for itself."""
        return [None] * rounds

    @torch.no_grad()
    def act(self, observation: np.ndarray, noise: None) -> tuple[np.ndarray, np.ndarray]:
        """See ``Acting``."""
        action, choice, _ = self._act(torch.as_tensor(observation, device=self._device), None)
        action = action if not action.is_floating_point() else action.float()
        return action.cpu().numpy(), choice.cpu().numpy()


class _Network:
    """A ``StateNetwork`` of one time, in numpy, on views of its weights (copies where they live on a device)."""

    def __init__(self, network: StateNetwork) -> None:
        linear = [*(layer for layer in network.layers if isinstance(layer, nn.Linear)), network.head]
        self._live: list[Tensor] = [tensor.detach() for layer in linear for tensor in (layer.weight, layer.bias)]
        self._here = [t if t.device.type == "cpu" else torch.empty_like(t, device="cpu") for t in self._live]
        arrays = [tensor.numpy() for tensor in self._here]
        self._layers = list(zip((weight.T for weight in arrays[::2]), arrays[1::2], strict=True))
        self._relu = any(isinstance(layer, nn.ReLU) for layer in network.layers)
        table = network.inputs.features
        self._table = None if table is None else table.cpu().numpy()  # type: ignore[operator]

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        for here, live in zip(self._here, self._live, strict=True):
            if here is not live:
                here.copy_(live)
        x = observation if self._table is None else self._table[observation]
        for weight, bias in self._layers[:-1]:
            x = x @ weight + bias
            x = np.maximum(x, 0) if self._relu else np.tanh(x)
        weight, bias = self._layers[-1]
        return x @ weight + bias
