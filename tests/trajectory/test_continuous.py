"""The batched rollout of a continuous model is its per-site program, run faster."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from gymnasium import spaces
from pyro import poutine

from ppl_control import TrajectoryModel
from ppl_control.guides.continuous import ContinuousGuide
from ppl_control.mdp import DifferentiableMDP
from ppl_control.policies import CategoricalMLP
from ppl_control.randomness import RandomStream

RUNS = 50


def walk(ends: bool, final: bool) -> DifferentiableMDP:
    return DifferentiableMDP(
        dist.Normal(torch.zeros(2, dtype=torch.float64), 0.3).to_event(1),
        lambda state, action: dist.Normal(state + 0.5 * (action[..., None] - 1.0), 0.1).to_event(1),
        lambda state, action, following: -(following**2).sum(-1) + 0.1 * action,
        action_space=spaces.Discrete(3),
        final_reward=(lambda state: 3.0 * state[..., 0]) if final else None,
        done=(lambda state: state[..., 0] > 0.4) if ends else None,
    )


@pytest.mark.parametrize("prior", [None, "uniform", "policy"])
@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("final", [False, True])
def test_same_draws_same_terms(prior, ends: bool, final: bool):
    given = CategoricalMLP(3, num_features=2, seed=5) if prior == "policy" else prior
    model = TrajectoryModel(walk(ends, final), horizon=4, temperature=0.5, action_prior=given)
    policy = CategoricalMLP(3, num_features=2, horizon=4, seed=1)
    with RandomStream(2):
        torch.nn.init.normal_(policy.network.head.weight)
    guide = ContinuousGuide(model, policy)
    with RandomStream(7), pyro.plate("trajectories", RUNS):
        believed = poutine.trace(guide).get_trace()
    with pyro.plate("trajectories", RUNS):
        replayed = poutine.trace(poutine.replay(model.model, trace=believed)).get_trace()
    believed.compute_log_prob()
    replayed.compute_log_prob()
    with RandomStream(7), torch.no_grad():
        rollout = guide.rollout(RUNS)
    for t in range(4):
        torch.testing.assert_close(
            rollout.actions[t][rollout.alive[t]], believed.nodes[f"a_{t}"]["value"][rollout.alive[t]]
        )

    def total(trace):
        sites = [node["log_prob"] for node in trace.nodes.values() if node["type"] == "sample"]
        return sum(term.expand(RUNS) for term in sites)

    log_prior = sum(
        replayed.nodes[f"a_{t}"]["log_prob"] + (replayed.nodes[f"O_{t}"]["log_prob"] - rollout.reward[t] / 0.5)
        for t in range(4)
    )
    log_policy = sum(believed.nodes[f"a_{t}"]["log_prob"] for t in range(4))
    torch.testing.assert_close(total(replayed) - total(believed), rollout.reward.sum(0) / 0.5 + log_prior - log_policy)
    # The closed-form choice term has the drawn one's mean.
    drawn = (log_prior - log_policy).detach()
    closed = rollout.choice.sum(0)
    assert float((drawn - closed).mean().abs()) < 4 * float((drawn - closed).std() / RUNS**0.5) + 1e-9
    if ends:
        assert not bool(rollout.alive.all())


def test_a_discount_weighs_as_survival_does():
    model = TrajectoryModel(
        walk(ends=True, final=True), horizon=4, temperature=0.5, discount=0.8, action_prior="uniform"
    )
    guide = ContinuousGuide(model, CategoricalMLP(3, num_features=2, horizon=4, seed=1))
    runs = 20_000
    with RandomStream(0), torch.no_grad(), pyro.plate("trajectories", runs):
        believed = poutine.trace(guide).get_trace()
        replayed = poutine.trace(poutine.replay(model.model, trace=believed)).get_trace()
    rewards = sum(node["infer"]["reward"] for name, node in replayed.nodes.items() if name.startswith("O_"))
    with RandomStream(1), torch.no_grad():
        weighted = guide.rollout(runs).reward.sum(0)
    error = float((rewards.var() / runs + weighted.var() / runs) ** 0.5)
    assert float(weighted.var()) < float(rewards.var())
    assert abs(float(rewards.mean() - weighted.mean())) < 4 * error
