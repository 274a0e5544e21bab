"""A tabular trajectory model as arrays: what every exact method and the batched rollout read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ppl_control.mdp.outcomes import Outcomes
from ppl_control.mdp.sparse import SparseOutcomes, with_survival
from ppl_control.mdp.tabular import TabularMDP
from ppl_control.trajectory.ending import surely_ends
from ppl_control.trajectory.mixing import Mixing

__all__ = ["GuideTables", "OutcomeRows", "Tables", "make_tables"]

# Of what Tables caches.
WITHOUT_REWARD = ("log_p", "successor", "dense", "links", "mixing", "outcome_rows", "surely_ends")
DENSE_FILL = 32  # a matrix [A·S, S] this many times as large as its entries is still multiplied faster whole


class OutcomeRows(NamedTuple):
    """Outcomes with p > 0, one entry each, in the order of their rows.

    Attributes:
        place: in a table [s, a, k] laid out flat.
        row: a·S + s.
        column: the successor; S is the silent end.
        starts: of each row, and the end of the last, [A·S+1].
    """

    place: np.ndarray
    row: np.ndarray
    column: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True, eq=False)
class Tables:
    """Survival, temperature and prior written into arrays; rewards and values here are in nats (r/α).

    Attributes:
        initial: p(s₀) with the silent end as last entry, shape [S+1]; terminal states start there.
        sparse: the MDP's own outcomes, before the discount.
        terminal: states in which nothing is decided, shape [S].
        log_prior: log π0, index order [t, s, a], or [s, a] without a horizon; 0 under the counting measure.
        horizon: T, or None.
        temperature: α, reward units per nat.
        discount: γ.
    """

    initial: Float[Tensor, " S+1"]
    sparse: SparseOutcomes
    terminal: Bool[Tensor, " S"]
    log_prior: Float[Tensor, "*T S A"]
    horizon: int | None
    temperature: float
    discount: float

    @property
    def num_states(self) -> int:
        """S, without the silent end."""
        return self.sparse.num_states

    @property
    def num_actions(self) -> int:
        """A."""
        return self.sparse.num_actions

    @cached_property
    def outcomes(self) -> Outcomes:
        """The outcomes with the discount as survival, index order [s, a, k]; see ``with_survival``.

        As wide as the row with the most: exact methods without a posterior do without.
        """
        return with_survival(self.sparse, self.terminal.cpu().numpy(), self.discount).padded(self.initial.device)

    @cached_property
    def log_p(self) -> Float[Tensor, "S A K"]:
        """Log p(outcome | s, a), −inf on the padding."""
        return self.outcomes.log_probability

    @cached_property
    def successor(self) -> Tensor:
        """Successor index [s, a, k], S after the end."""
        return self.outcomes.successor

    @cached_property
    def reward(self) -> Float[Tensor, "S A K"]:
        """r/α of each outcome, nats."""
        return self.outcomes.reward / self.temperature

    @cached_property
    def expected_reward(self) -> Float[Tensor, "S A"]:
        """E[r | s, a]/α, nats."""
        return torch.from_numpy(self.sparse.expected_reward).to(self.initial) / self.temperature

    @cached_property
    def dense(self) -> Float[Tensor, "SA S"] | None:
        """P(successor = s' | s, a) as a matrix over surviving states, where that is the faster form."""
        num_states, num_actions = self.num_states, self.num_actions
        if num_states**2 * num_actions > DENSE_FILL * (len(self.sparse.probability) + num_states * num_actions):
            return None
        matrix = self.initial.new_zeros(num_states, num_actions, num_states + 1)
        matrix.scatter_add_(-1, self.successor, self.outcomes.probability)
        return matrix[..., :num_states].reshape(-1, num_states).contiguous()

    @cached_property
    def links(self) -> tuple[Any, Any]:
        """P(successor = s' | s, a) over surviving states for NumPy, rows a·S + s, [A·S, S]; and its transpose.

        SciPy's CSR or, where ``dense`` is the faster form, arrays: products of either take a fraction of torch's, whose
        every call on a sparse matrix prepares it anew.
        """
        from scipy.sparse import csr_array

        n, given = self.num_states, self.sparse
        rows = len(given.starts) - 1
        by_state = csr_array((given.probability * ~given.done, given.next_state, given.starts), shape=(rows, n))
        # Rows come by state; NumPy sums over actions faster where each action's rows lie together.
        order = np.arange(rows).reshape(n, -1).T.ravel()
        ahead = by_state[order]
        ahead.data *= np.asarray(self.discount, ahead.dtype)
        ahead.sum_duplicates()
        ahead.eliminate_zeros()
        if self.dense is not None:
            return ahead.toarray(), ahead.T.toarray()
        return ahead, ahead.T.tocsr()

    @cached_property
    def mixing(self) -> Mixing:
        """What makes the chain of a policy out of ``links``."""
        from scipy.sparse import csr_array

        return Mixing(csr_array(self.links[0]), self.num_actions)

    @cached_property
    def outcome_rows(self) -> OutcomeRows:
        """Every outcome as an entry of a sparse matrix with rows a·S + s."""
        num_states, num_actions, _ = self.successor.shape
        chance, column = (x.cpu().numpy() for x in (self.outcomes.probability, self.successor))
        state, action, k = chance.nonzero()
        order = np.argsort(action * num_states + state, kind="stable")
        state, action, k = state[order], action[order], k[order]
        row = action * num_states + state
        starts = np.concatenate([[0], np.bincount(row, minlength=num_actions * num_states).cumsum()])
        place = np.ravel_multi_index((state, action, k), chance.shape)
        return OutcomeRows(place, row, column[state, action, k].astype(np.int32), starts.astype(np.int32))

    @cached_property
    def surely_ends(self) -> bool:
        """Whether trajectories end with certainty whatever the policy; a discount makes sure of it."""
        return self.discount < 1 or surely_ends(self.sparse, self.terminal.cpu().numpy())

    def paying(self, nats: Float[Tensor, "S A *K"]) -> Tables:
        """The same tables with other rewards r/α, nats, [s, a] or [s, a, k]; what does not hang on rewards is shared.

        No outcomes are merged, also where their rewards now agree; ``sparse`` keeps the old ones. For tables in
        float64, as ``double`` makes them.
        """
        assert self.initial.dtype == torch.float64
        each = (nats[..., None] if nats.ndim == 2 else nats).expand_as(self.outcomes.reward)
        changed = replace(self)
        changed.__dict__.update({name: value for name, value in self.__dict__.items() if name in WITHOUT_REWARD})
        changed.__dict__["outcomes"] = replace(self.outcomes, reward=each * self.temperature)
        changed.__dict__["reward"] = each
        expected = nats if nats.ndim == 2 else (self.outcomes.probability * each).sum(-1)  # [s, a]: to the last digit
        changed.__dict__["expected_reward"] = expected
        return changed

    def double(self) -> Tables:
        """The same tables in float64."""
        if self.initial.dtype == torch.float64:
            return self
        return replace(
            self,
            initial=self.initial.double(),
            sparse=self.sparse.to(torch.float64),
            log_prior=self.log_prior.double(),
        )

    def require_end(self) -> None:
        """Raise a ValueError where there is no horizon and trajectories might be drawn forever."""
        if self.horizon is None and not self.surely_ends:
            raise ValueError(
                "horizon: None needs a discount < 1, or states from which every policy ends; "
                "some policy of this model goes on forever"
            )

    def expect(self, value: Float[Tensor, "*T S"]) -> Float[Tensor, "*T S A"]:
        """E[value(s') | s, a] in the true dynamics; the silent end is worth 0."""
        if self.dense is not None:
            flat = self.dense @ value if value.ndim == 1 else value @ self.dense.T
            return flat.unflatten(-1, (self.num_states, self.num_actions))
        return (self.outcomes.probability * self.at_successor(value)).sum(-1)

    def at_successor(self, value: Float[Tensor, "*T S"]) -> Float[Tensor, "*T S A K"]:
        """value(s') of each outcome; 0 at the silent end."""
        return torch.cat([value, value.new_zeros((*value.shape[:-1], 1))], -1)[..., self.successor]


@dataclass(frozen=True, eq=False)
class GuideTables:
    """A tabular q(τ) as log-probabilities.

    Attributes:
        policy: log q(a|s,t), index order [t, s, a] ([s, a] without a horizon).
        initial: log q(s₀), shape [S+1]; None: the model's.
        outcomes: log q(outcome|s,a,t), [t, s, a, k] ([s, a, k] without a horizon); None: the model's.
    """

    policy: Float[Tensor, "*T S A"]
    initial: Float[Tensor, " S+1"] | None = None
    outcomes: Float[Tensor, "*T S A K"] | None = None

    def dynamics(self, tables: Tables) -> Float[Tensor, "*T S A K"]:
        """q(outcome|s,a,t), or the model's p(outcome|s,a) where the guide has none of its own."""
        return tables.outcomes.probability if self.outcomes is None else self.outcomes.exp()

    def detach(self) -> GuideTables:
        """The same numbers without their graph."""
        return GuideTables(
            self.policy.detach(),
            None if self.initial is None else self.initial.detach(),
            None if self.outcomes is None else self.outcomes.detach(),
        )


def make_tables(
    mdp: TabularMDP,
    log_prior: Float[Tensor, "*T S A"],
    horizon: int | None,
    temperature: float,
    discount: float,
) -> Tables:
    """The MDP's tables as inference reads them."""
    at_end = mdp.initial[mdp.terminal].sum()
    initial = torch.cat([mdp.initial.masked_fill(mdp.terminal, 0.0), at_end[None]])
    return Tables(initial, mdp.sparse, mdp.terminal, log_prior, horizon, temperature, discount)
