"""Tabular problems: dense and sparse tables, outcome lists, names, precision."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ppl_control import MessagePassing, SoftValueIteration, TabularMDP, TrajectoryModel, infer
from ppl_control.inverse import ActionCost, TabularReward
from ppl_control.mdp import GridLayout
from tests.mdp.test_bad_tables import tables


def same(one: TabularMDP, other: TabularMDP) -> None:
    for name in ("probability", "next_state", "reward", "done"):
        assert torch.equal(getattr(one.outcomes, name), getattr(other.outcomes, name)), name
    assert torch.equal(one.initial, other.initial)
    assert torch.equal(one.terminal, other.terminal)


@given(seed=st.integers(0, 1000), states=st.integers(1, 5), by_outcome=st.booleans())
def test_dense_sparse_and_outcomes_give_one_mdp(seed: int, states: int, by_outcome: bool):
    initial, transition, reward = tables((states, 2), seed)
    transition *= np.random.default_rng(seed).random(transition.shape) < 0.5
    transition[..., 0] += 1.0
    transition /= transition.sum(-1, keepdims=True)
    reward = reward if by_outcome else reward[..., 0]
    done = np.random.default_rng(seed).random(states) < 0.3
    dense = TabularMDP(initial, transition, reward, done=done)
    same(dense, TabularMDP(initial, torch.tensor(transition).to_sparse(), reward, done=done))
    same(dense, TabularMDP(initial.tolist(), transition.tolist(), torch.tensor(reward), done=done.tolist()))
    rows = [
        [
            [(transition[s, a, n], n, reward[s, a, n] if by_outcome else reward[s, a], done[n]) for n in range(states)]
            for a in range(2)
        ]
        if not done[s]
        else [[], []]
        for s in range(states)
    ]
    same(dense, TabularMDP.from_outcomes(rows, initial))
    same(dense, TabularMDP.from_outcomes(dict(enumerate(rows)), initial))


def test_equal_outcomes_become_one_and_different_ones_stay_apart():
    row = [(0.25, 0, 1.0, False), (0.25, 0, 1.0, False), (0.25, 0, 2.0, False), (0.25, 0, 1.0, True)]
    outcomes = TabularMDP.from_outcomes([[row]], [1.0]).outcomes
    found = sorted(zip(
        outcomes.probability[0, 0].tolist(),
        outcomes.reward[0, 0].tolist(),
        outcomes.done[0, 0].tolist(),
        strict=True,
    ))  # fmt: skip
    assert found == [(0.25, 1.0, True), (0.25, 2.0, False), (0.5, 1.0, False)]
    assert outcomes.share_successors
    assert outcomes.expected_reward.item() == 1.25


def test_successors_are_shared_only_by_outcomes_that_can_happen():
    rows = [[[(1.0, 0, 1.0, False)], [(0.5, 0, 1.0, False), (0.5, 1, 2.0, False)]]] * 2
    assert not TabularMDP.from_outcomes(rows, [1.0, 0.0]).outcomes.share_successors
    ends = [[[(0.5, 0, 1.0, True), (0.5, 1, 2.0, True)]]] * 2  # both outcomes end: one successor
    assert TabularMDP.from_outcomes(ends, [1.0, 0.0]).outcomes.share_successors


def test_rows_of_terminal_states_are_never_used():
    junk = [[[0.5, 0.5]], [[0.0, 0.0]]]
    mdp = TabularMDP([1.0, 0.0], junk, [[-1.0], [1e9]], done=[False, True])
    assert mdp.outcomes.reward.max() == 0  # −1 and the padding
    value = infer(TrajectoryModel(mdp, horizon=5), SoftValueIteration()).soft_value
    assert value[0].tolist() == pytest.approx([-1 - 0.5 - 0.25 - 0.125 - 0.0625, 0])


def test_names():
    mdp = TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 0.0]])
    assert (mdp.state_names, mdp.action_names) == (("s0",), ("a0", "a1"))
    mdp = TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 0.0]], state_names=["home"], action_names=("stay", "go"))
    assert (mdp.state_names, mdp.action_names) == (("home",), ("stay", "go"))
    assert repr(mdp) == "TabularMDP(1 states, 2 actions)"


def test_single_precision_throughout():
    initial, transition, reward = tables((4, 3), 5)
    double = TrajectoryModel(TabularMDP(initial, transition, reward), horizon=6)
    single = TrajectoryModel(TabularMDP(initial, transition, reward, dtype=torch.float32), horizon=6)
    for method in (MessagePassing(), SoftValueIteration()):
        exact, rough = infer(double, method), infer(single, method)
        assert rough.soft_value.dtype == rough.soft_q.dtype == torch.float32
        assert rough.log_evidence_bound == pytest.approx(exact.log_evidence_bound, rel=1e-5)


def test_the_caller_s_tables_are_left_alone():
    initial, transition, reward = (torch.tensor(table) for table in tables((3, 2), 1))
    kept = transition.clone()
    mdp = TabularMDP(initial, transition, reward)
    probability = mdp.outcomes.probability.clone()
    model = TrajectoryModel(mdp, horizon=2, discount=0.5)
    infer(model, MessagePassing())
    assert torch.equal(transition, kept)
    assert torch.equal(mdp.outcomes.probability, probability)
    transition.zero_()
    assert torch.equal(mdp.outcomes.probability, probability)


def test_layouts():
    layout = GridLayout(("ab", "cd"))
    assert layout.shape == (2, 2)
    assert (layout[2], layout.cell(3)) == ("c", (1, 1))
    mdp = TabularMDP(np.eye(4)[0], np.eye(4)[:, None], np.zeros((4, 1)))
    assert mdp.layout is None
    assert mdp.with_layout(layout).layout is layout
    assert mdp.layout is None
    with pytest.raises(ValueError, match="layout"):
        mdp.with_layout(GridLayout(("ab",)))
    for rows in ((), ("ab", "c"), ("", "")):
        with pytest.raises(ValueError, match="rows"):
            GridLayout(rows)


def two_outcomes(dtype: torch.dtype = torch.float64) -> TabularMDP:
    """State 0 stays or goes to 1 in equal parts under action 0, stays under action 1; state 1 is the end."""
    transition = [[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0]] * 2]
    return TabularMDP([1.0, 0.0], transition, [[3.0, 4.0], [0.0, 0.0]], done=[False, True], dtype=dtype)


class Cost(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([1.0, 5.0]))

    def forward(self, state, action, next_state=None):
        return -self.weight[action]


def test_other_rewards_as_tables_functions_and_modules():
    mdp = two_outcomes()
    for table in (
        [[1, -2], [9, 9]],
        np.array([[1.0, -2.0], [9.0, 9.0]]),
        torch.tensor([[1.0, -2.0], [9.0, 9.0]]),
        np.array([[1, -2], [9, 9]], np.longdouble),
    ):
        assert mdp.with_reward(table).outcomes.expected_reward.tolist() == [[1.0, -2.0], [0.0, 0.0]]
    by_outcome = mdp.with_reward([[[2.0, 4.0], [6.0, 7.0]], [[9.0, 9.0], [9.0, 9.0]]])
    assert by_outcome.outcomes.expected_reward.tolist() == [[3.0, 6.0], [0.0, 0.0]]
    where = mdp.with_reward(lambda state, action, following: 10 * action + following)
    assert where.outcomes.expected_reward.tolist() == [[0.5, 10.0], [0.0, 0.0]]
    assert mdp.with_reward(lambda *places: torch.tensor(2.0)).outcomes.expected_reward[0].tolist() == [2.0, 2.0]
    paid = mdp.with_reward(Cost()).outcomes.expected_reward
    assert paid[0].tolist() == [-1.0, -5.0]
    assert not paid.requires_grad
    assert mdp.outcomes.expected_reward[0].tolist() == [3.0, 4.0]  # the first is left alone
    assert by_outcome.state_names == mdp.state_names
    assert torch.equal(by_outcome.terminal, mdp.terminal)
    assert two_outcomes(torch.float32).with_reward(np.ones((2, 2))).outcomes.reward.dtype == torch.float32


def test_outcomes_that_are_paid_alike_are_one():
    rows = [[[(0.5, 0, 1.0, False), (0.5, 0, 2.0, False)]]]
    mdp = TabularMDP.from_outcomes(rows, [1.0])
    assert mdp.outcomes.probability.tolist() == [[[0.5, 0.5]]]
    assert mdp.with_reward([[7.0]]).outcomes.probability.tolist() == [[[1.0]]]


def test_rewards_where_nothing_happens_do_not_matter():
    nan = float("nan")
    paid = two_outcomes().with_reward([[[2.0, 4.0], [6.0, nan]], [[nan, nan], [nan, nan]]])
    assert paid.outcomes.expected_reward.tolist() == [[3.0, 6.0], [0.0, 0.0]]


def test_reward_models_of_another_size():
    for reward in (TabularReward(7, 9), TabularReward(2, 3) + ActionCost(num_actions=2)):
        with pytest.raises(ValueError, match=r"reward: it is made for \d states and \d actions, the model has 2 and 2"):
            two_outcomes().with_reward(reward)
    reward = TabularReward(2, 2)
    reward.table.data += torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert two_outcomes().with_reward(reward).outcomes.expected_reward[0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (np.zeros((3, 2)), r"reward: expected shape \(2, 2\) or \(2, 2, 2\), got \(3, 2\)"),
        (0.0, r"reward: expected shape .*, got \(\)"),
        (None, "reward: expected a rectangular table of numbers, got None"),
        ("high", "reward: expected a rectangular table of numbers"),
        (np.ones((2, 2)) * 1j, "reward: expected a rectangular table of numbers, got values of type complex128"),
        (torch.eye(2).to_sparse(), "reward: expected a rectangular table of numbers"),
        ([[1.0], [1.0, 2.0]], "reward: expected a rectangular table of numbers"),
        ([[float("nan"), 0.0], [0.0, 0.0]], r"reward\[0, 0, 0\] is nan: expected a finite number"),
        (lambda s, a, n: n / 0, r"reward\[0, 0, 0\] is nan"),
        (lambda s, a, n: torch.zeros(7), r"reward: expected shape \(2, 2, 2\), .* got \(7,\)"),
        (lambda s, a, n: torch.zeros(2), r"reward: expected shape \(2, 2, 2\), .* got \(2,\)"),
        (lambda s, a, n: torch.zeros(2, 3, 1), r"reward: expected shape \(2, 2, 2\), .* got \(2, 3, 1\)"),
        (lambda s, a, n: 0.0, r"reward: expected a tensor that broadcasts to \(2, 2, 2\), got 0.0"),
        (lambda s, a, n: None, r"reward: expected a tensor .*, got None"),
        (lambda: 0.0, "reward: failed on .*TypeError"),
        (lambda s, a, n: torch.zeros(1)[a], "reward: failed on .*IndexError"),
        (lambda s, a, n: s @ torch.zeros(5), "reward: failed on .*RuntimeError"),
        (TabularReward, "reward: expected a table, a function or a module, got the class TabularReward"),
        (torch.nn.Embedding(1, 3), "reward: failed on .*TypeError"),
    ],
)
def test_rewards_that_are_none(reward, message: str):
    with pytest.raises(ValueError, match=message):
        two_outcomes().with_reward(reward)
