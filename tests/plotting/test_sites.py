"""Edges and colours of graphical models."""

import pyro
import pyro.distributions as dist
import pytest
import torch

from ppl_control import MessagePassing, TabularMDP, TrajectoryModel, infer
from ppl_control.guides import Custom, FixedDynamics, Unconstrained
from ppl_control.models import hiking, lottery
from ppl_control.plotting.sites import guide_graph, model_graph

WORLD = {("s_0", "s_1"), ("a_0", "s_1"), ("s_1", "s_2"), ("a_1", "s_2")}
PRIOR = {("s_0", "a_0"), ("s_1", "a_1")}
FACTORS = {(start, f"O_{t}") for t in (0, 1) for start in (f"s_{t}", f"a_{t}", f"s_{t + 1}")}


def windy() -> None:
    """A global latent, a latent of each step, a chain of deterministic sites, observed data."""
    wind = pyro.sample("wind", dist.Bernoulli(torch.tensor(0.3)))
    s = pyro.sample("s_0", dist.Categorical(torch.ones(3)))
    for t in range(3):
        a = pyro.sample(f"a_{t}", dist.Categorical(torch.ones(2)))
        gust = pyro.sample(f"gust_{t}", dist.Bernoulli(0.2 + 0.3 * wind))
        pushed = pyro.deterministic(f"pushed_{t}", gust + a)
        pyro.deterministic(f"r_{t}", (s == a).double())
        s = pyro.sample(f"s_{t + 1}", dist.Categorical(logits=(s + pushed)[..., None] * torch.arange(3.0)))
        pyro.sample(f"seen_{t}", dist.Normal(s.double(), 1.0), obs=torch.tensor(0.5))


WINDY = TrajectoryModel.from_program(windy, horizon=3)
WINDY_EDGES = {("wind", "gust_0"), ("s_0", "s_1"), ("a_0", "s_1"), ("gust_0", "s_1")}


def test_model_of_a_table() -> None:
    graph = model_graph(hiking.model(), 2)
    assert graph.edges == WORLD | PRIOR | FACTORS
    assert graph.observed == {"O_0", "O_1"}
    assert list(graph.roles) == ["s_0", "a_0", "s_1", "O_0", "a_1", "s_2", "O_1"]
    assert graph.changed == set()


def test_fixed_dynamics_changes_the_actions_alone() -> None:
    graph = guide_graph(FixedDynamics().build(hiking.model()), 2)
    assert graph.edges == WORLD | PRIOR
    assert graph.changed == {"a_0", "a_1"}


@pytest.mark.parametrize("guide", ["unconstrained", "posterior"])
def test_the_posterior_changes_everything(guide: str) -> None:
    model = hiking.model()
    bound = Unconstrained().build(model) if guide == "unconstrained" else infer(model, MessagePassing()).guide
    graph = guide_graph(bound, 2)
    assert graph.edges == WORLD | PRIOR
    assert graph.changed == {"s_0", "a_0", "s_1", "a_1", "s_2"}


def test_frozen_parameters_count() -> None:
    guide = Unconstrained().build(hiking.model()).requires_grad_(False)
    assert guide_graph(guide, 1).changed == {"s_0", "a_0", "s_1"}


def test_outcomes_are_what_is_believed_where_they_share_a_successor() -> None:
    model = lottery.model()
    graph = model_graph(model, 1)
    assert graph.edges >= {("s_0", "outcome_0"), ("a_0", "outcome_0"), ("outcome_0", "s_1"), ("outcome_0", "O_0")}
    assert guide_graph(Unconstrained().build(model), 1).changed == {"s_0", "a_0", "outcome_0"}
    assert guide_graph(FixedDynamics().build(model), 1).changed == {"a_0"}


def test_model_of_a_program() -> None:
    graph = model_graph(WINDY, 1)
    assert graph.edges == WINDY_EDGES | {("s_0", "O_0"), ("a_0", "O_0"), ("s_1", "seen_0")}
    assert graph.observed == {"O_0", "seen_0"}
    assert graph.roles["wind"] == "latent"


def test_guides_of_a_program() -> None:
    fixed = guide_graph(FixedDynamics().build(WINDY), 1)
    assert fixed.edges == WINDY_EDGES | {("s_0", "a_0")}  # the policy sees the state, the prior did not
    assert fixed.changed == {"a_0"}
    free = guide_graph(Unconstrained().build(WINDY), 1)
    assert free.changed == {"wind", "s_0", "a_0", "gust_0", "s_1"}
    assert "O_0" not in free.roles
    assert "seen_0" not in free.roles


def test_a_guide_of_your_own_keeps_the_rest_of_the_model() -> None:
    def plan() -> None:
        for t in range(13):
            pyro.sample(f"a_{t}", dist.Categorical(logits=pyro.param(f"plan_{t}", torch.zeros(4).double())))

    graph = guide_graph(Custom(plan).build(hiking.model()), 2)
    assert graph.edges == WORLD
    assert graph.changed == {"a_0", "a_1"}


def test_branches_are_collected_from_many_runs() -> None:
    def branching() -> None:
        s = pyro.sample("s_0", dist.Categorical(torch.ones(3)))
        a = pyro.sample("a_0", dist.Categorical(torch.ones(2)))
        if s == 0:
            pyro.sample("slip", dist.Bernoulli(torch.tensor([0.1, 0.9])[a]))
        pyro.deterministic("r_0", a.double())

    model = TrajectoryModel.from_program(branching, horizon=1, batched=False)
    assert model_graph(model, 1).edges == {("a_0", "slip"), ("a_0", "O_0")}
    assert "slip" in guide_graph(Unconstrained().build(model), 1).changed


@pytest.mark.parametrize(("horizon", "goes_on"), [(2, False), (3, True), (None, True)])
def test_only_the_first_decisions_are_read(horizon: int | None, goes_on: bool) -> None:
    loop = TabularMDP([1.0, 0.0], [[[0.5, 0.5]] * 2] * 2, [[0.0, 1.0]] * 2)
    graph = model_graph(TrajectoryModel(loop, horizon=horizon, discount=0.99), 2)
    assert graph.goes_on is goes_on
    assert max(name for name in graph.roles if name.startswith("s_")) == "s_2"
    assert sum(role == "action" for role in graph.roles.values()) == 2


def test_random_state_and_parameters_are_left_alone() -> None:
    guide = Unconstrained().build(WINDY)
    before = torch.get_rng_state()
    guide_graph(guide, 2)
    assert torch.equal(before, torch.get_rng_state())
    assert all(p.grad is None and p.is_leaf for p in guide.parameters())
    assert not pyro.get_param_store().keys()


def test_a_policy_that_passes_gradients_on_does_not_change_the_states() -> None:
    def drift() -> None:
        x = pyro.sample("s_0", dist.Normal(0.0, 1.0))
        for t in range(2):
            u = pyro.sample(f"a_{t}", dist.Normal(0.0, 1.0))
            pyro.deterministic(f"r_{t}", -(x**2))
            x = pyro.sample(f"s_{t + 1}", dist.Normal(x + u, 1.0))

    class Linear(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = torch.nn.Parameter(torch.tensor(0.3))

        def forward(self, state: torch.Tensor, t: object = None) -> dist.Normal:
            return dist.Normal(-self.gain * state, 1.0)

    model = TrajectoryModel.from_program(drift, horizon=2)
    graph = guide_graph(FixedDynamics(Linear()).build(model), 2)
    assert graph.changed == {"a_0", "a_1"}
    assert ("s_1", "a_1") in graph.edges
