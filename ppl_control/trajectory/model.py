"""A decision problem as a Pyro program over trajectories."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ppl_control.mdp.continuous import ContinuousMDP
from ppl_control.mdp.simulator import SimulatorMDP
from ppl_control.mdp.tabular import TabularMDP
from ppl_control.policies.tabular import tabulate
from ppl_control.randomness import RandomStream
from ppl_control.settings import real, shown, whole
from ppl_control.trajectory.action_prior import ActionPrior, describe_prior
from ppl_control.trajectory.continuous_program import ContinuousProgram
from ppl_control.trajectory.sampled_only import SampledOnly
from ppl_control.trajectory.tables import Tables, make_tables
from ppl_control.trajectory.tabular_program import TabularProgram
from ppl_control.trajectory.user_program import UserProgram

__all__ = ["TrajectoryModel"]


class TrajectoryModel:
    """p(τ, O) = p(s₀) ∏ π0(a_t|s_t) p(s_{t+1}|s_t,a_t) exp(r_t/α).

    Args:
        mdp: the world: a ``TabularMDP``, a ``DifferentiableMDP`` or ``LinearGaussianMDP`` (with a horizon), or a
            ``SimulatorMDP``.
        horizon: T ≥ 1, number of decisions; None: until done, or until a simulator truncates.
        temperature: α > 0, reward units per nat.
        discount: γ in (0, 1], the probability that the episode goes on after a step.
        action_prior: π0. None: the base measure (counting or Lebesgue; log Z is then no log-probability);
            ``"uniform"``: normalised (bounded actions); a policy; or, for continuous worlds, a distribution.

    Raises:
        ValueError: a setting out of its range, or an action prior of another size.

    References:
        Levine (2018), arXiv 1805.00909, eq. 2-4; Ziebart (2010).

    Example:
        >>> mdp = TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 1.0]])
        >>> TrajectoryModel(mdp, horizon=3, temperature=0.5)
        TrajectoryModel(TabularMDP(1 states, 2 actions), horizon=3, temperature=0.5, discount=1.0)
    """

    def __init__(
        self,
        mdp: TabularMDP | ContinuousMDP | SimulatorMDP,
        *,
        horizon: int | None = None,
        temperature: float = 1.0,
        discount: float = 1.0,
        action_prior: str | nn.Module | Distribution | None = None,
    ) -> None:
        self.mdp: Any = mdp
        self.horizon = _check_horizon(horizon)
        self.temperature = _check_temperature(temperature)
        self.discount = _check_discount(discount)
        self.action_prior = action_prior
        self._tables: Tables | None = None
        self._prior: ActionPrior | None = None
        if isinstance(mdp, TabularMDP):
            self._make_tabular(mdp)
        elif isinstance(mdp, SimulatorMDP):
            self._make_sampled(mdp)
        elif isinstance(mdp, ContinuousMDP):
            self._make_continuous(mdp)
        else:
            raise ValueError(
                "mdp: expected a TabularMDP, LinearGaussianMDP, DifferentiableMDP or SimulatorMDP, got "
                f"{type(mdp).__name__}"
            )

    def _make_tabular(self, mdp: TabularMDP) -> None:
        action_prior = self.action_prior
        self._tables = make_tables(
            mdp,
            _log_prior(mdp, action_prior, self.horizon),
            self.horizon,
            self.temperature,
            self.discount,
        )
        self.program: Any = TabularProgram(self._tables, base_measure=action_prior is None)

    def _make_continuous(self, mdp: ContinuousMDP) -> None:
        if self.horizon is None:
            raise ValueError("horizon: a continuous model needs its number of decisions, got None")
        self._prior = ActionPrior(self.action_prior, mdp.action_space, mdp.dtype)
        with RandomStream(0), torch.no_grad():
            self._prior.check(mdp.initial().sample((2,)).to(mdp.dtype))
        self.program = ContinuousProgram(mdp, self._prior, self.horizon, self.temperature, self.discount)

    def _make_sampled(self, mdp: SimulatorMDP) -> None:
        self._prior = ActionPrior(
            self.action_prior, mdp.action_space, mdp.dtype, state_ndim=mdp.state_ndim, device=mdp.device
        )
        self._prior.check(mdp.probe())
        self.program = SampledOnly(mdp.name)

    @classmethod
    def from_program(
        cls,
        program: Callable[[], Any],
        *,
        horizon: int,
        temperature: float = 1.0,
        roles: Mapping[str, str] | None = None,
        policy_sees: Sequence[str] = ("state",),
        batched: bool = True,
    ) -> TrajectoryModel:
        """A model from your own Pyro function of no arguments; its action sites carry the action prior.

        Write rewards as ``pyro.deterministic("r_t", r)``: the factor exp(r/α) is added here, so that returns
        keep reward units. A factor or observed site ``O_t`` of your own counts as it stands, in nats, and then
        stands for that step's reward too.

        Args:
            program: the function; it should work on batches of values (see ``batched``).
            horizon: number of decisions.
            temperature: α > 0, reward units per nat.
            roles: site name or pattern → ``state``, ``action``, ``reward``, ``optimality`` or ``latent``. Default:
                ``s_*``, ``a_*``, ``r_*``, ``O_*``; any other site is latent: FixedDynamics keeps it, Unconstrained
                learns it, the policy sees it only if told.
            policy_sees: roles, or families of sites (``s`` for ``s_0, s_1, …``), whose latest values the policy gets.
            batched: False for programs that branch on values; they run one trajectory at a time.

        Raises:
            ValueError: a setting out of its range, roles that do not fit the program's sites, or a program without a
                reward or a factor.
        """
        self = cls.__new__(cls)
        self.mdp, self.action_prior, self.discount = None, None, 1.0
        self._tables, self._prior = None, None
        if horizon is None:
            raise ValueError("horizon: a program needs its number of decisions")
        self.horizon = _check_horizon(horizon)
        self.temperature = _check_temperature(temperature)
        self.program = UserProgram(program, horizon, self.temperature, roles, policy_sees, batched)
        return self

    def model(self) -> Any:
        """Run the per-site Pyro program once (sites ``s_t``, ``a_t``, ``O_t``); every Pyro handler works on it."""
        return self.program()

    __call__ = model

    @property
    def is_tabular(self) -> bool:
        """Whether exact methods have tables to work on."""
        return self._tables is not None

    @property
    def is_continuous(self) -> bool:
        """Whether states are vectors of a ``ContinuousMDP``."""
        return self._prior is not None and not self.is_simulator

    @property
    def is_simulator(self) -> bool:
        """Whether the world can be sampled only."""
        return isinstance(self.mdp, SimulatorMDP)

    @property
    def tables(self) -> Tables:
        """The model as arrays.

        Raises:
            ValueError: the model is no table.
        """
        if self._tables is None:
            raise ValueError("this model has no tables, it is a program or continuous: tabular methods cannot serve it")
        return self._tables

    @property
    def prior(self) -> ActionPrior:
        """π0 of a continuous model or a simulator.

        Raises:
            ValueError: the model is a table (see ``tables.log_prior``) or a program.
        """
        if self._prior is None:
            raise ValueError("this model is a table or a program, and its action prior is in there")
        return self._prior

    @property
    def fingerprint(self) -> str:
        """A digest that tells models apart: every table and setting; for a program its sites and settings."""
        digest = hashlib.sha256(repr((self.horizon, self.temperature, self.discount)).encode())
        if self._prior is not None:
            digest.update(self.mdp.digest() + describe_prior(self.action_prior))
            return digest.hexdigest()
        if self._tables is None:
            digest.update(self.program.digest.encode())
            return digest.hexdigest()
        t = self._tables
        for table in (t.initial, t.log_prior):
            digest.update(table.contiguous().cpu().numpy().tobytes())
        for column in (t.sparse.starts, t.sparse.probability, t.sparse.next_state, t.sparse.reward, t.sparse.done):
            digest.update(column.tobytes())
        return digest.hexdigest()

    def replaced(self, **changes: Any) -> TrajectoryModel:
        """The same model with other settings, e.g. ``model.replaced(temperature=0.5)``; not for programs."""
        settings: dict[str, Any] = {
            "mdp": self.mdp,
            "horizon": self.horizon,
            "temperature": self.temperature,
            "discount": self.discount,
            "action_prior": self.action_prior,
        }
        if self.mdp is None or not changes.keys() <= settings.keys():
            raise ValueError(f"replaced: serves models of an MDP and {list(settings)}, got {list(changes)}")
        return TrajectoryModel(**(settings | changes))

    def __deepcopy__(self, memo: dict[int, Any]) -> TrajectoryModel:
        return self  # never changed once made: copies of guides share it

    def to(self, device: torch.device | str) -> TrajectoryModel:
        """The same model with its tables on another device.

        Raises:
            ValueError: an unknown device, or a program, which chooses its own.
        """
        if self.mdp is None:
            raise ValueError("device: a program makes its own tensors; move those instead")
        try:
            moved = self.mdp.to(torch.device(device))
        except Exception as error:  # torch asserts that it was compiled with CUDA, and raises whatever it likes
            raise ValueError(f"device: cannot use {shown(device)}: {str(error)[:1000]}") from error
        return self.replaced(mdp=moved)

    def __repr__(self) -> str:
        world = self.mdp if self.mdp is not None else "program"
        prior = self.action_prior
        named = repr(prior) if isinstance(prior, str) else type(prior).__name__  # modules need many lines for theirs
        return (
            f"TrajectoryModel({world}, horizon={self.horizon}, temperature={self.temperature:g}, "
            f"discount={self.discount}{'' if prior is None else f', action_prior={named}'})"
        )


def _log_prior(mdp: TabularMDP, prior: Any, horizon: int | None) -> Tensor:
    shape = (mdp.num_states, mdp.num_actions)
    shape = shape if horizon is None else (horizon, *shape)
    if prior is None:
        return mdp.initial.new_zeros(()).expand(shape)
    if isinstance(prior, str) and prior == "uniform":
        return mdp.initial.new_full((), -math.log(mdp.num_actions)).expand(shape)
    if not isinstance(prior, nn.Module):
        raise ValueError(f"action_prior: expected None, 'uniform' or a policy, got {shown(prior)}")
    with torch.no_grad():
        return tabulate(prior, mdp.num_states, mdp.num_actions, horizon).to(mdp.initial).detach()


def _check_horizon(horizon: int | None) -> int | None:
    if horizon is None:
        return None
    return whole("horizon", horizon, 1)


def _check_temperature(temperature: float) -> float:
    return real("temperature", temperature, above=0)


def _check_discount(discount: float) -> float:
    return real("discount", discount, above=0, most=1)
