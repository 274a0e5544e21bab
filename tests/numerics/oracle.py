"""Control as inference in arithmetic of 50 digits, by plain loops; nothing here comes from the library.

Numbers of mpmath have exponents without bounds, so that products of a million tiny probabilities are what they are.
Index order [t][s][a][k] as in the library; the silent end is state S with value 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mpmath

from tests.problems import Problem

mp = mpmath.MPContext()  # of its own: nobody else's precision changes
mp.dps = 50

Row = list[tuple[Any, int, Any]]  # (probability, successor, r/α) of every outcome, survival written in


class Oracle:
    """The numbers of one problem; attributes are exact to some 45 digits.

    ``seats`` are p(s₀) with the silent end as last, ``rows[s][a]`` the outcomes, ``prior[t][s][a]`` π0.
    """

    def __init__(self, problem: Problem) -> None:
        self.n, self.actions, self.horizon = problem.num_states, problem.num_actions, problem.horizon
        self.temperature = mp.mpf(problem.temperature)
        self.terminal = [not any(rows) for rows in problem.outcomes]
        total = mp.fsum(mp.mpf(float(p)) for p in problem.initial)
        self.seats = [mp.mpf(0)] * (self.n + 1)
        for s, p in enumerate(problem.initial):
            self.seats[self.n if self.terminal[s] else s] += mp.mpf(float(p)) / total
        self.rows = [[self._row(row, problem.discount) for row in rows] for rows in problem.outcomes]
        self.prior = [[self._prior(row, problem.kind) for row in table] for table in problem.prior]

    def _row(self, row: Sequence[Any], discount: float) -> Row:
        total, found, survives = mp.fsum(mp.mpf(p) for p, *_ in row), [], mp.mpf(discount)
        for p, target, reward, done in row:
            chance, nats = mp.mpf(p) / total, mp.mpf(reward) / self.temperature
            if done or self.terminal[target]:
                found.append((chance, self.n, nats))
            else:
                found.append((chance * survives, target, nats))
                found.append((chance * (1 - survives), self.n, nats))
        return [entry for entry in found if entry[0] > 0]

    def _prior(self, row: Any, kind: str) -> list[Any]:
        if kind == "uniform":
            return [mp.mpf(1) / self.actions] * self.actions
        total = mp.mpf(1) if kind == "base" else mp.fsum(mp.mpf(float(p)) for p in row)
        return [mp.mpf(float(p)) / total for p in row]

    def posterior(self) -> tuple[list[list[Any]], list[list[list[Any]]]]:
        """exp V [t][s] (the end last, always 1) and exp Q [t][s][a] of the posterior backup."""
        weights = [[[(p * mp.exp(r), s) for p, s, r in row] for row in rows] for rows in self.rows]
        z, q = [[mp.mpf(1)] * (self.n + 1)], []
        for t in reversed(range(self.horizon)):
            q.append(self._weigh(weights, z[-1]))
            z.append(self._mix(self.prior[t], q[-1]))
        return z[::-1], q[::-1]

    def _weigh(self, weights: Any, ahead: list[Any]) -> list[list[Any]]:
        return [
            [mp.mpf(1)] * self.actions if self.terminal[s] else [sum(w * ahead[k] for w, k in row) for row in rows]
            for s, rows in enumerate(weights)
        ]

    def _mix(self, prior: list[list[Any]], q: list[list[Any]]) -> list[Any]:
        mixed = [sum(p * x for p, x in zip(prior[s], q[s], strict=True)) for s in range(self.n)]
        return [mp.mpf(1) if end else x for x, end in zip(mixed, self.terminal, strict=True)] + [mp.mpf(1)]

    def evidence(self, z: list[Any]) -> Any:
        """log Z, from exp V of the first step."""
        return mp.log(sum(p * x for p, x in zip(self.seats, z, strict=True)))

    def variational(self) -> tuple[list[list[Any]], list[list[list[Any]]]]:
        """V [t][s] (the end last, always 0) and Q [t][s][a], nats, of the backup under fixed dynamics."""
        value, q = [[mp.mpf(0)] * (self.n + 1)], []
        for t in reversed(range(self.horizon)):
            q.append(self.expected(value[-1]))
            value.append(self.soft_maximum(self.prior[t], q[-1]))
        return value[::-1], q[::-1]

    def expected(self, ahead: list[Any]) -> list[list[Any]]:
        """E[r/α + V(s')]; 0 in terminal states."""
        return [
            [mp.mpf(0)] * self.actions
            if self.terminal[s]
            else [sum(p * (r + ahead[k]) for p, k, r in row) for row in rows]
            for s, rows in enumerate(self.rows)
        ]

    def soft_maximum(self, prior: list[list[Any]], q: list[list[Any]]) -> list[Any]:
        """log Σ_a π0 exp Q; 0 in terminal states and at the end."""
        found = []
        for s in range(self.n):
            top = max(q[s])
            mass = sum(p * mp.exp(x - top) for p, x in zip(prior[s], q[s], strict=True))
            found.append(mp.mpf(0) if self.terminal[s] else top + mp.log(mass))
        return [*found, mp.mpf(0)]

    def policy(self, value: list[Any], q: list[list[Any]], t: int) -> list[list[Any]]:
        """π0 exp(Q − V) at one time, from logarithms."""
        return [[p * mp.exp(x - value[s]) for p, x in zip(self.prior[t][s], q[s], strict=True)] for s in range(self.n)]

    def walk(self, policy: Any, believed: Any = None, first: Any = None) -> tuple[Any, list[list[Any]]]:
        """Expected return, reward units, and q(s_t = s) [t][s] (the end last).

        ``policy(t)[s][a]``; ``believed(t)[s][a][k]``, None: the true dynamics; ``first[s]``, None: the true ones.
        """
        mass, total = [list(self.seats if first is None else first)], mp.mpf(0)
        for t in range(self.horizon):
            here, after = mass[-1], [mp.mpf(0)] * self.n + [mass[-1][self.n]]
            chosen, luck = policy(t), None if believed is None else believed(t)
            for s in range(self.n):
                if self.terminal[s] or here[s] == 0:
                    continue
                for a, row in enumerate(self.rows[s]):
                    for k, (p, target, nats) in enumerate(row):
                        flow = here[s] * chosen[s][a] * (p if luck is None else luck[s][a][k])
                        after[target] += flow
                        total += flow * nats
            mass.append(after)
        return total * self.temperature, mass

    def posterior_walk(self) -> tuple[Any, list[list[Any]]]:
        """Believed return and marginals of the posterior."""
        z, q = self.posterior()
        weights = [[[p * mp.exp(r) for p, _, r in row] for row in rows] for rows in self.rows]
        joint = sum(p * x for p, x in zip(self.seats, z[0], strict=True))

        def policy(t: int) -> Any:
            return [[p * x / z[t][s] for p, x in zip(self.prior[t][s], q[t][s], strict=True)] for s in range(self.n)]

        def believed(t: int) -> Any:
            return [
                [[w * z[t + 1][k] / q[t][s][a] for w, (_, k, _) in zip(weights[s][a], row, strict=True)]
                 for a, row in enumerate(rows)]
                for s, rows in enumerate(self.rows)
            ]  # fmt: skip

        return self.walk(policy, believed, [p * x / joint for p, x in zip(self.seats, z[0], strict=True)])

    def viterbi(self) -> Any:
        """The largest log p(τ, O), nats."""
        value = [mp.mpf(0)] * (self.n + 1)
        for t in reversed(range(self.horizon)):
            q = [[max((mp.log(p) + r + value[k] for p, k, r in row), default=0) for row in rows] for rows in self.rows]
            value = [
                mp.mpf(0) if self.terminal[s]
                else max(mp.log(p) + x for p, x in zip(self.prior[t][s], q[s], strict=True) if p > 0)
                for s in range(self.n)
            ] + [mp.mpf(0)]  # fmt: skip
        return max(mp.log(p) + v for p, v in zip(self.seats, value, strict=True) if p > 0)

    def stationary_posterior(self) -> list[Any]:
        """exp V [s] without a horizon: the solution of z = M z + b (which must be positive, else it diverges)."""
        matrix, right = mp.eye(self.n), mp.zeros(self.n, 1)
        for s, rows in enumerate(self.rows):
            if self.terminal[s]:
                right[s] = 1
                continue
            for a, row in enumerate(rows):
                for p, k, r in row:
                    weight = self.prior[0][s][a] * p * mp.exp(r)
                    if k == self.n:
                        right[s] += weight
                    else:
                        matrix[s, k] -= weight
        found = list(mp.lu_solve(matrix, right))
        assert all(x > 0 for x in found), "the fixed point diverges: choose another problem"
        return [*found, mp.mpf(1)]

    def stationary_variational(self) -> list[Any]:
        """V [s], nats, without a horizon: Newton's method (soft policy iteration) to the last digit."""
        value = [mp.mpf(0)] * (self.n + 1)
        for _ in range(500):
            q = self.expected(value)
            policy = self.policy(self.soft_maximum(self.prior[0], q), q, 0)
            matrix, right = mp.eye(self.n), mp.zeros(self.n, 1)
            for s, rows in enumerate(self.rows):
                if self.terminal[s]:
                    continue
                for a, row in enumerate(rows):
                    if policy[s][a] == 0:
                        continue
                    right[s] += policy[s][a] * mp.log(self.prior[0][s][a] / policy[s][a])
                    for p, k, r in row:
                        right[s] += policy[s][a] * p * r
                        if k < self.n:
                            matrix[s, k] -= policy[s][a] * p
            found = [*mp.lu_solve(matrix, right), mp.mpf(0)]
            moved = max(abs(x - y) for x, y in zip(found, value, strict=True))
            value = found
            if moved < mp.mpf(10) ** -30 * (1 + max(abs(x) for x in found)):
                return value
        raise AssertionError("soft policy iteration did not settle")

    def stationary_return(self, policy: list[list[Any]]) -> Any:
        """Expected return of a stationary policy [s][a] without a horizon, reward units."""
        matrix, right = mp.eye(self.n), mp.zeros(self.n, 1)
        for s, rows in enumerate(self.rows):
            for a, row in enumerate(rows):
                for p, k, r in row:
                    right[s] += policy[s][a] * p * r
                    if k < self.n:
                        matrix[s, k] -= policy[s][a] * p
        value = mp.lu_solve(matrix, right)
        return self.temperature * sum(p * v for p, v in zip(self.seats[:-1], value, strict=True))
