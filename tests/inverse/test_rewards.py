"""Reward models: what they pay, what they let Pyro and torch.func see, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.nn import PyroSample
from pyro.nn.module import to_pyro_module_
from torch import Tensor, nn
from torch.func import functional_call

from ppl_control.inverse import ActionCost, LinearReward, MLPReward, Reward, Sum, TabularReward

S, A, K = 3, 2, 4
INDICES = "indices"
VECTORS = "vectors"


def _table(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def _place_times_push(state: Tensor, action: Tensor, next_state: Tensor | None) -> Tensor:
    return torch.cat([state, action * state[..., :1]], -1)


def _step_made(state: Tensor, action: Tensor, next_state: Tensor | None) -> Tensor:
    assert next_state is not None
    return (next_state - state).square()


MAKERS: dict[str, tuple[str, Callable[[], Reward]]] = {
    "table of states": (INDICES, lambda: TabularReward(S, A, of="state")),
    "table of actions": (INDICES, lambda: TabularReward(S, A)),
    "table of outcomes": (INDICES, lambda: TabularReward(S, A, of="outcome")),
    "features of actions": (INDICES, lambda: LinearReward(_table(S, A, K))),
    "features of outcomes": (INDICES, lambda: LinearReward(_table(S, A, S, K))),
    "action costs": (INDICES, lambda: ActionCost(num_actions=A)),
    "network": (INDICES, lambda: MLPReward(num_states=S, num_actions=A, hidden=(5,))),
    "network of outcomes": (
        INDICES,
        lambda: MLPReward(num_states=S, num_actions=A, hidden=(5,), sees=("state", "action", "next_state")),
    ),
    "network of states": (INDICES, lambda: MLPReward(num_states=S, sees="state", hidden=())),
    "sum": (INDICES, lambda: TabularReward(S, A, of="outcome") + ActionCost(num_actions=A)),
    "sum with network": (INDICES, lambda: MLPReward(num_states=S, num_actions=A) + TabularReward(S, A, of="state")),
    "function": (VECTORS, lambda: LinearReward(_place_times_push, num_features=4)),
    "function of outcomes": (VECTORS, lambda: LinearReward(_step_made, num_features=2)),
    "quadratic cost": (VECTORS, lambda: ActionCost(action_dim=2)),
    "network of vectors": (
        VECTORS,
        lambda: MLPReward(state_dim=2, action_dim=2, hidden=(5, 4), activation="relu", state_scale=(1.0, 8.0)),
    ),
    "sum of vectors": (VECTORS, lambda: LinearReward(_place_times_push, num_features=4) + ActionCost(action_dim=2)),
}
NAMES = list(MAKERS)


def _made(name: str, start: bool = False) -> tuple[str, Reward]:
    """A reward with parameters other than those it starts from."""
    kind, make = MAKERS[name]
    reward = make()
    if not start:
        draws = torch.Generator().manual_seed(1)
        for parameter in reward.parameters():
            parameter.data = torch.randn(parameter.shape, dtype=parameter.dtype, generator=draws)
    return kind, reward


def _steps(kind: str, *batch: int) -> tuple[Tensor, Tensor, Tensor]:
    draws = torch.Generator().manual_seed(2)
    if kind == INDICES:
        state, action, following = (torch.randint(n, batch, generator=draws) for n in (S, A, S))
    else:
        state, action, following = (torch.randn(*batch, 2, generator=draws) for _ in range(3))
    return state, action, following


@pytest.mark.parametrize("name", NAMES)
def test_pays_one_number_a_step(name: str) -> None:
    kind, reward = _made(name)
    for batch in ((), (1,), (5,), (2, 5)):
        paid = reward(*_steps(kind, *batch))
        assert paid.shape == batch
        assert bool(paid.isfinite().all())


@pytest.mark.parametrize("name", NAMES)
def test_starts_at_nothing(name: str) -> None:
    kind, reward = _made(name, start=True)
    assert not reward(*_steps(kind, 7)).any()


@pytest.mark.parametrize("name", [name for name in NAMES if MAKERS[name][0] == INDICES])
def test_states_broadcast_against_actions_and_outcomes(name: str) -> None:
    _, reward = _made(name)
    state, action, following = torch.arange(S)[:, None], torch.arange(A)[None], torch.arange(S).expand(S, A, S)
    paid = reward(state[..., None], action[..., None], following).expand(S, A, S)
    for s in range(S):
        for a in range(A):
            for n in range(S):
                one = reward(*(torch.tensor(i) for i in (s, a, n)))
                torch.testing.assert_close(paid[s, a, n], one, rtol=1e-5, atol=1e-5)  # float32 networks
    if not reward.sees_next:
        torch.testing.assert_close(reward(state, action).expand(S, A), paid[..., 0])


@pytest.mark.parametrize("name", NAMES)
def test_only_what_sees_the_outcome_needs_it(name: str) -> None:
    kind, reward = _made(name)
    state, action, following = _steps(kind, 6)
    if not reward.sees_next:
        torch.testing.assert_close(reward(state, action), reward(state, action, following))
    elif kind == INDICES:
        with pytest.raises(ValueError, match=r"next_state: .* looks at the outcome"):
            reward(state, action)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name: str) -> None:
    kind, reward = _made(name)
    steps = _steps(kind, 200)
    reward(*steps).square().sum().backward()
    for label, parameter in reward.named_parameters():
        assert parameter.grad is not None, label
        assert bool(parameter.grad.any()), label


@pytest.mark.parametrize("name", NAMES)
def test_linear_where_it_says_so(name: str) -> None:
    """Superposition: r at ψ + c φ is r at ψ plus c times r at φ; a network is not linear."""
    kind, reward = _made(name)
    steps = _steps(kind, 50)
    first = {label: value.detach() for label, value in reward.named_parameters()}
    second = {label: value.flip(0) - 1.0 for label, value in first.items()}
    both = {label: first[label] + 3.0 * second[label] for label in first}
    apart = functional_call(reward, first, steps) + 3.0 * functional_call(reward, second, steps)
    together = functional_call(reward, both, steps)
    if reward.is_linear:
        torch.testing.assert_close(together, apart)
    elif name != "network of states":  # without hidden layers it is linear, and need not know
        assert not torch.allclose(together, apart)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_for_every_number(name: str) -> None:
    _, reward = _made(name)
    names = reward.parameter_names
    assert len(names) == sum(parameter.numel() for parameter in reward.parameters())
    assert len(set(names)) == len(names)


def test_names_stand_in_the_order_of_the_parameters() -> None:
    reward = LinearReward(_table(S, A, 2), names=["slope", "summit"]) + TabularReward(2, 2, of="outcome")
    assert reward.parameter_names[:3] == ["slope", "summit", "table[0, 0, 0]"]
    assert reward.parameter_names[-1] == "table[1, 1, 1]"
    assert LinearReward(_table(S, A, 2)).parameter_names == ["weights[0]", "weights[1]"]


def test_parts_of_a_sum_that_share_a_name_are_numbered() -> None:
    reward = LinearReward(_table(S, A, 1)) + LinearReward(_table(S, A, 1).exp()) + ActionCost(num_actions=A)
    assert reward.parameter_names == ["0.weights[0]", "1.weights[0]", "2.costs[0]", "2.costs[1]"]


@pytest.mark.parametrize("name", NAMES)
def test_state_dict_round_trip(name: str) -> None:
    kind, reward = _made(name)
    steps = _steps(kind, 20)
    _, fresh = _made(name, start=True)
    fresh.load_state_dict(reward.state_dict())
    assert torch.equal(fresh(*steps), reward(*steps))
    assert torch.equal(deepcopy(reward)(*steps), reward(*steps))


@pytest.mark.parametrize("name", NAMES)
def test_many_parameters_at_once(name: str) -> None:
    """Under ``vmap`` over parameters, as samplers of a posterior over rewards call it."""
    kind, reward = _made(name)
    steps = _steps(kind, 9)
    several = {label: torch.stack([value.detach(), -value.detach()]) for label, value in reward.named_parameters()}
    paid = torch.func.vmap(lambda values: functional_call(reward, values, steps))(several)
    assert paid.shape == (2, 9)
    for i in range(2):
        one = functional_call(reward, {label: value[i] for label, value in several.items()}, steps)
        torch.testing.assert_close(paid[i], one, rtol=1e-5, atol=1e-5)
    slopes = torch.func.jacfwd(lambda values: functional_call(reward, values, steps))(dict(reward.named_parameters()))
    assert {label: slope.shape[1:] for label, slope in slopes.items()} == {
        label: value.shape for label, value in reward.named_parameters()
    }


@pytest.mark.parametrize("name", NAMES)
def test_pyro_sees_the_parameters(name: str) -> None:
    _, reward = _made(name)
    with poutine.trace(param_only=True) as trace, pyro.get_param_store().scope():
        pyro.module("reward", reward)
    assert {site[len("reward$$$") :] for site in trace.trace.nodes if site != "_INPUT"} == {
        label for label, _ in reward.named_parameters()
    }


@pytest.mark.parametrize("name", NAMES)
def test_priors_in_place_of_parameters(name: str) -> None:
    kind, reward = _made(name)
    steps = _steps(kind, 4)
    labels = [label for label, _ in reward.named_parameters()]
    shapes = {label: (value.shape, value.dtype) for label, value in reward.named_parameters()}
    to_pyro_module_(reward)
    for label in labels:
        *path, last = label.split(".")
        shape, dtype = shapes[label]
        setattr(
            reward.get_submodule(".".join(path)),
            last,
            PyroSample(dist.Normal(torch.zeros(shape, dtype=dtype), 1.0).to_event(len(shape))),
        )
    torch.manual_seed(0)
    trace = poutine.trace(reward).get_trace(*steps)
    drawn = {site: node["value"] for site, node in trace.nodes.items() if node["type"] == "sample"}
    assert set(drawn) == set(labels)
    _, same = _made(name, start=True)
    torch.testing.assert_close(trace.nodes["_RETURN"]["value"], functional_call(same, drawn, steps))


def test_values_by_hand() -> None:
    reward = LinearReward(torch.tensor([[[1.0, 0.0], [0.0, 2.0]]]), weights=[3.0, -1.0]) + ActionCost(num_actions=2)
    reward.parts[1].costs.data = torch.tensor([0.5, 0.25])  # type: ignore[union-attr]
    assert reward(torch.tensor([0, 0]), torch.tensor([0, 1])).tolist() == [2.5, -2.25]


def test_costs_of_discrete_actions_where_states_are_vectors() -> None:
    cost = ActionCost(num_actions=2)
    cost.costs.data = torch.tensor([1.0, 2.0], dtype=torch.float64)
    assert cost(torch.zeros(2, 2), torch.tensor([0, 1])).tolist() == [-1.0, -2.0]
    assert cost(torch.zeros(3, 1, 4), torch.tensor([0, 1])).shape == (3, 2)
    mixed = MLPReward(state_dim=4, num_actions=2) + cost
    assert mixed(torch.zeros(5, 4), torch.ones(5, dtype=torch.int64)).tolist() == [-2.0] * 5


def test_what_parts_see_the_sum_sees() -> None:
    assert not (TabularReward(S, A) + ActionCost(num_actions=A)).sees_next
    total = TabularReward(S, A) + ActionCost(num_actions=A) + TabularReward(S, A, of="outcome")
    assert total.sees_next
    assert total.is_linear
    assert len(total.parts) == 3
    assert not (total + MLPReward(num_states=S, num_actions=A)).is_linear
    with pytest.raises(TypeError):
        total + 1.0  # type: ignore[operator]


def test_features_that_are_a_module_stay_as_they_are() -> None:
    layer = nn.Linear(2, 3).requires_grad_(False)

    class Read(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, state: Tensor, action: Tensor, next_state: Tensor | None) -> Tensor:
            return self.layer(state)

    reward = LinearReward(Read(), num_features=3)
    assert [label for label, _ in reward.named_parameters()] == ["weights"]
    assert reward(torch.zeros(5, 2), torch.zeros(5, 1)).shape == (5,)
    layer.requires_grad_()
    with pytest.raises(ValueError, match="features: a module that learns is not linear"):
        LinearReward(Read(), num_features=3)


def test_one_seed_one_network_and_the_caller_s_stream_untouched() -> None:
    before = torch.get_rng_state()
    first, second, other = (MLPReward(num_states=S, num_actions=A, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.network[0].weight, second.network[0].weight)
    assert not torch.equal(first.network[0].weight, other.network[0].weight)


nan = float("nan")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TabularReward(0, 2), "num_states: expected an integer >= 1, got 0"),
        (lambda: TabularReward(2, 1.5), "num_actions: expected an integer >= 1, got 1.5"),  # type: ignore[arg-type]
        (lambda: TabularReward(2, 2, of="action"), "of: expected one of .*'outcome'.*, got 'action'"),  # type: ignore[arg-type]
        (lambda: LinearReward(_table(S, A)), r"features: expected shape \[S, A, K\] or .*, got \[3, 2\]"),
        (lambda: LinearReward(_table(S, A, 2, K)), r"features: expected shape .*, got \[3, 2, 2, 4\]"),
        (lambda: LinearReward([[["a"]]]), "features: expected a rectangular table of numbers"),
        (lambda: LinearReward([[[0.0], [nan]]]), r"features\[0, 1, 0\] is nan: expected a finite number"),
        (lambda: LinearReward(_table(S, A, K), weights=[1.0]), r"weights: expected 4 numbers, got shape \[1\]"),
        (lambda: LinearReward(_table(S, A, 1), weights=["a"]), "weights: expected a rectangular table of numbers"),
        (lambda: LinearReward(_table(S, A, 1), weights=[nan]), "weights: expected finite numbers"),
        (lambda: LinearReward(_table(S, A, K), names=["a"]), "names: expected 4 names, got 1"),
        (lambda: LinearReward(_step_made), "num_features: needed where features are a function"),
        (lambda: LinearReward(_step_made, num_features=0), "num_features: expected an integer >= 1"),
        (lambda: MLPReward(num_states=S), "give exactly one of num_actions and action_dim"),
        (lambda: MLPReward(num_actions=A), "give exactly one of num_states and state_dim"),
        (lambda: MLPReward(num_states=S, state_dim=2, num_actions=A), "give exactly one of num_states"),
        (lambda: MLPReward(state_dim=0, num_actions=A), "state_dim: expected an integer >= 1, got 0"),
        (lambda: MLPReward(num_states=S, sees=()), "sees: expected some of"),
        (lambda: MLPReward(num_states=S, sees=("state", "state")), "sees: expected some of .* each once"),
        (lambda: MLPReward(num_states=S, sees="colour"), "sees: expected some of .*, got 'colour'"),
        (lambda: MLPReward(num_states=S, sees="state", activation="sine"), "activation: expected one of"),
        (lambda: MLPReward(num_states=S, sees="state", hidden=(0,)), "hidden: expected an integer >= 1, got 0"),
        (lambda: MLPReward(state_dim=2, sees="state", state_scale=0.0), "state_scale: expected finite numbers > 0"),
        (lambda: MLPReward(state_dim=2, sees="state", state_scale=(1, 2, 3)), r"state_scale: .* got shape \[3\]"),
        (lambda: MLPReward(state_dim=2, sees="state", state_scale="a"), "state_scale: expected a rectangular table"),
        (lambda: ActionCost(), "give exactly one of num_actions and action_dim"),
        (lambda: ActionCost(num_actions=2, action_dim=2), "give exactly one of num_actions and action_dim"),
        (lambda: ActionCost(action_dim=0), "action_dim: expected an integer >= 1, got 0"),
        (lambda: Sum(), "parts: expected different rewards, got 0"),
        (lambda: Sum(nn.Linear(1, 1)), "parts: expected rewards, got Linear"),  # type: ignore[arg-type]
        (lambda: (reward := TabularReward(S, A)) + reward, "parts: expected different rewards"),
    ],
)
def test_errors_name_the_place(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (_place_times_push, r"features: expected \[3, 5\], got shape \[3, 4\]"),
        (lambda state, action, following: None, r"features: expected \[3, 5\], got None"),
        (lambda state, action, following: 0.0, r"features: expected \[3, 5\], got 0.0"),
        (lambda state, action, following: torch.zeros(()), r"features: expected \[3, 5\], got shape \[\]"),
        (lambda state, action, following: torch.zeros(7, 5), r"features: expected \[3, 5\], got shape \[7, 5\]"),
        (lambda state, action, following: torch.zeros(2, 3, 5), r"features: expected \[3, 5\], got shape \[2, 3, 5\]"),
    ],
)
def test_a_function_that_returns_no_features(returned: Callable[..., Tensor], message: str) -> None:
    reward = LinearReward(returned, num_features=5)
    with pytest.raises(ValueError, match=message):
        reward(torch.zeros(3, 2), torch.zeros(3, 2))


def test_a_function_may_look_at_less_than_the_whole_step() -> None:
    state, action, following = torch.arange(S)[:, None, None], torch.arange(A)[None, :, None], torch.arange(S)
    reward = LinearReward(lambda s, a, n: torch.nn.functional.one_hot(a, A).double(), weights=[1.0, 2.0])
    assert reward(state, action, following).expand(S, A, S)[0, :, 0].tolist() == [1.0, 2.0]
    assert LinearReward(lambda s, a, n: torch.ones(1), weights=[3.0])(state, action).tolist() == 3.0
    with pytest.raises(ValueError, match="state, action and next_state do not fit each other"):
        LinearReward(lambda s, a, n: torch.ones(1), weights=[3.0])(torch.zeros(3, 2), torch.zeros(4, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TabularReward(7, 9), "made for 7 states and 9 actions, the model has 3 and 2"),
        (lambda: TabularReward(S, 9, "state"), "made for 3 states and 9 actions, the model has 3 and 2"),
        (lambda: TabularReward(7, A, "outcome"), "made for 7 states and 2 actions, the model has 3 and 2"),
        (lambda: LinearReward(torch.zeros(5, 4, 3)), "made for 5 states and 4 actions, the model has 3 and 2"),
        (lambda: LinearReward(torch.zeros(4, A, 4, 3)), "made for 4 states and 2 actions, the model has 3 and 2"),
        (lambda: ActionCost(num_actions=4), "made for 4 actions, the model has 2"),
        (lambda: ActionCost(action_dim=A), "made for vectors of actions, the model has 2 actions"),
        (lambda: MLPReward(num_states=4, num_actions=A), "made for 4 states and 2 actions, the model has 3 and 2"),
        (lambda: MLPReward(num_states=4, sees="state"), "made for 4 states, the model has 3"),
        (lambda: MLPReward(num_actions=3, sees="action"), "made for 3 actions, the model has 2"),
        (
            lambda: MLPReward(state_dim=A, sees="state"),
            "made for vectors of states, the model has 3 states and 2 actions",
        ),
        (lambda: MLPReward(state_dim=1, action_dim=1), "made for vectors of states and actions, the model has 3"),
        (lambda: TabularReward(S, A) + ActionCost(num_actions=3), "made for 3 actions, the model has 2"),
    ],
)
def test_tables_of_another_size_are_refused(make: Callable[[], Reward], message: str) -> None:
    with pytest.raises(ValueError, match=f"reward: it is {message}"):
        make().require_sizes(S, A)


@pytest.mark.parametrize("name", [name for name in NAMES if MAKERS[name][0] == INDICES])
def test_tables_of_the_size_are_taken(name: str) -> None:
    _, reward = _made(name)
    reward.require_sizes(S, A)
    LinearReward(_place_times_push, num_features=4).require_sizes(S, A)
    Reward().require_sizes(S, A)
