"""Planning anew at every step."""

import gymnasium
import numpy as np
import pyro.distributions as dist
import pytest
import torch
from gymnasium import spaces

from ppl_control import (
    SVI,
    DifferentiableMDP,
    FamilyOptimum,
    LinearGaussianMDP,
    MessagePassing,
    ParticlePlanning,
    RecedingHorizon,
    SoftValueIteration,
    TrajectoryModel,
    compare,
    evaluate,
    infer,
)
from ppl_control.guides import MAP, OpenLoop
from ppl_control.models import cliff_walking, frozen_lake, hiking
from ppl_control.policies.tabular import tabulate
from tests.problems import each_problem, label


@pytest.mark.parametrize("problem", each_problem()[::3], ids=label)
@pytest.mark.parametrize("method", [MessagePassing(), SoftValueIteration()])
def test_feedback_policies_gain_nothing_by_planning_anew(problem, method):
    model = problem.model()
    once, again = infer(model, method), infer(model, RecedingHorizon(method), progress=False)
    sizes = model.tables.num_states, model.tables.num_actions, model.horizon
    here = tabulate(once.policy, *sizes).exp()
    there = tabulate(again.policy, *sizes).exp()
    alive = ~model.tables.terminal
    torch.testing.assert_close(here[:, alive], there[:, alive])
    assert again.log_evidence_bound == once.log_evidence_bound


def test_a_linear_policy_planned_anew_is_the_same():
    mdp = LinearGaussianMDP(1.0, 1.0, 0.3, 1.0, 0.5, initial_mean=[2.0], final_state_cost=1.0)
    model = TrajectoryModel(mdp, horizon=4)
    once, again = (
        infer(model, SoftValueIteration()),
        infer(model, RecedingHorizon(SoftValueIteration()), progress=False),
    )
    for t in range(4):
        state = torch.tensor([[0.5], [-1.0]], dtype=torch.float64)
        value = torch.tensor([[0.1], [0.2]], dtype=torch.float64)
        torch.testing.assert_close(again.policy(state, t).log_prob(value), once.policy(state, t).log_prob(value))


def test_a_plan_that_looks_again_does_better_on_the_lake():
    model = frozen_lake.model(horizon=7)
    blind, seeing = FamilyOptimum(OpenLoop()), RecedingHorizon(FamilyOptimum(OpenLoop()))
    table = compare(model, {"blind": blind, "seeing": seeing}, episodes=20_000).table.set_index("method")
    gain = table.executed["seeing"] - table.executed["blind"]
    assert gain > 4 * table.executed_stderr["seeing"]
    assert table.bound["seeing"] == table.bound["blind"]
    assert table.believed["seeing"] == table.believed["blind"]


def test_without_luck_the_first_plan_is_the_last():
    model = cliff_walking.model(horizon=16, temperature=0.01)
    solution = infer(model, RecedingHorizon(SVI(MAP())), progress=False)
    report = evaluate(solution, model, episodes=2)
    assert report.executed_return == report.believed_return == -13


def test_a_short_sight_believes_nothing_of_the_whole():
    model = hiking.model()
    solution = infer(model, RecedingHorizon(MessagePassing(), model.replaced(horizon=3)), progress=False)
    report = evaluate(solution, model, episodes=50)
    assert np.isnan(report.believed_return)
    assert np.isnan(solution.log_evidence_bound)
    assert np.isfinite(report.executed_return)
    assert torch.equal(solution.policy(torch.tensor(15), 2).logits, solution.policy(torch.tensor(15), 9).logits)


def test_plans_made_elsewhere_are_carried_out_here():
    calm, windy = hiking.model(noise=0.0), hiking.model(noise=0.1)
    solution = infer(windy, RecedingHorizon(MessagePassing(), calm), progress=False)
    report = evaluate(solution, windy, episodes=300)
    assert report.believed_return == evaluate(infer(calm, MessagePassing()), calm).believed_return
    assert report.optimism > 4 * report.optimism_stderr


class Push(gymnasium.Env):
    """A cart pushed along a line, in gymnasium's shape."""

    observation_space = spaces.Box(-10.0, 10.0, (1,), np.float64)
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float64)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = np.array([2.0])
        return self.place, {}

    def step(self, action):
        assert self.action_space.contains(np.asarray(action, np.float64))
        self.place = self.place + action
        return self.place, -float(self.place[0] ** 2), False, False, {}


def test_plans_run_in_a_gymnasium_environment():
    mdp = DifferentiableMDP(
        torch.tensor([2.0]),
        lambda state, action: dist.Normal(state + action, 0.01).to_event(1),
        lambda state, action, following: -(following**2).sum(-1),
        action_space=Push.action_space,
    )
    planning = TrajectoryModel(mdp, horizon=3, temperature=0.05, action_prior="uniform")
    method = RecedingHorizon(SVI(OpenLoop(), steps=60, particles=16), planning)
    policy = infer(planning.replaced(horizon=6), method, progress=False).policy
    env, memory = Push(), None
    place, _ = env.reset(seed=0)
    for _ in range(5):
        action, memory = policy.predict(place, memory, deterministic=True)
        place, *_ = env.step(action)
    assert abs(place[0]) < 0.3


def test_what_cannot_be_planned_with():
    hike = hiking.model()
    mdp = LinearGaussianMDP(1.0, 1.0, 0.3, 1.0, 0.5, initial_mean=[2.0])
    with pytest.raises(ValueError, match="its states are not the model's"):
        infer(hike, RecedingHorizon(MessagePassing(), TrajectoryModel(mdp, horizon=3)))
    with pytest.raises(ValueError, match="method: expected an inference method"):
        RecedingHorizon(OpenLoop())
    with pytest.raises(ValueError, match="planning_model: expected"):
        RecedingHorizon(MessagePassing(), mdp)
    with pytest.raises(ValueError, match="Lebesgue"):
        infer(TrajectoryModel(mdp, horizon=3), RecedingHorizon(ParticlePlanning(16)))
    solution = infer(hike, RecedingHorizon(MessagePassing()), progress=False)
    with pytest.raises(ValueError, match="t: this policy"):
        solution.policy(torch.tensor(0))
    with pytest.raises(ValueError, match="times 0"):
        solution.policy(torch.tensor(0), 13)
