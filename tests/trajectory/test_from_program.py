"""A user's own Pyro function: the same problem as a table gives the same numbers."""

import pyro
import pytest
import torch
from pyro.distributions import Categorical

from ppl_control import SVI, MessagePassing, SoftValueIteration, TrajectoryModel, evaluate, infer
from ppl_control.guides import FixedDynamics, Unconstrained
from ppl_control.inference.variational.exact_bound import elbo_and_loss
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.program_rollout import sample_program
from tests.problems import Problem, random_problem

QUICK = {"steps": 200, "learning_rate": 0.1, "particles": 128}


def as_program(problem: Problem, **settings) -> TrajectoryModel:
    """A problem whose outcomes neither end nor share a next state, written by hand."""
    o = problem.mdp().outcomes
    n, actions = problem.num_states, problem.num_actions
    p = torch.zeros(n, actions, n, dtype=torch.float64).scatter_add_(-1, o.next_state, o.probability)
    r = torch.zeros(n, actions, n, dtype=torch.float64).scatter_(-1, o.next_state, o.reward)
    initial, prior = torch.tensor(problem.initial), torch.tensor(problem.prior)

    def program():
        state = pyro.sample("s_0", Categorical(initial))
        for t in range(problem.horizon):
            action = pyro.sample(f"a_{t}", Categorical(prior[t][state]))
            following = pyro.sample(f"s_{t + 1}", Categorical(p[state, action]))
            pyro.deterministic(f"r_{t}", r[state, action, following])
            state = following

    settings = {"horizon": problem.horizon, "temperature": problem.temperature} | settings
    return TrajectoryModel.from_program(program, **settings)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return random_problem(8, prior="uniform", shared=False, ends=False, temperature=0.5)


@pytest.mark.parametrize("recipe", [FixedDynamics(), Unconstrained()], ids=repr)
@pytest.mark.parametrize("batched", [True, False])
def test_the_bound_of_a_fresh_guide(problem: Problem, recipe, batched: bool):
    """Both guides start at the prior and the true dynamics: their bound is the table's."""
    model, n = as_program(problem, batched=batched), 20_000 if batched else 250
    exact = float(elbo_and_loss(recipe.build(problem.model()))[0])
    with RandomStream(0), torch.no_grad():
        rollout = sample_program(model, recipe.build(model), n)
    totals = (rollout.log_p - rollout.log_q).sum(0)
    assert abs(float(totals.mean()) - exact) < 4 * float(totals.std()) / n**0.5


@pytest.mark.parametrize(
    ("recipe", "method"), [(FixedDynamics(), SoftValueIteration()), (Unconstrained(), MessagePassing())]
)
def test_a_fit_comes_near_the_optimum(problem: Problem, recipe, method):
    model, table = as_program(problem), problem.model()
    best = infer(table, method).log_evidence_bound
    solution = infer(model, SVI(recipe, **QUICK), progress=False)
    assert abs(solution.log_evidence_bound - best) < 0.03 + 4 * solution.log_evidence_bound_stderr
    report, exact = evaluate(solution, model, episodes=4000), evaluate(infer(table, method), table)
    assert abs(report.executed_return - exact.executed_return) < 0.1 + 4 * report.executed_return_stderr
    assert abs(report.believed_return - exact.believed_return) < 0.1 + 4 * report.believed_return_stderr
    assert abs(report.entropy - exact.entropy) < 0.15


@pytest.mark.parametrize("estimator", ["score", "pyro"])
def test_both_estimators_climb(problem: Problem, estimator: str):
    method = SVI(estimator=estimator, steps=100, learning_rate=0.1, particles=64)
    history = infer(as_program(problem), method, progress=False).history["bound"]
    assert sum(history[-20:]) / 20 > sum(history[:5]) / 5 + 0.1


def test_the_policy_fitted_to_a_program_runs_on_the_table(problem: Problem):
    """One policy, two forms of the world, one executed return."""
    model, table = as_program(problem), problem.model()
    solution = infer(model, SVI(steps=20), progress=False)
    simulated, exact = evaluate(solution, model, episodes=20_000), evaluate(solution, table)
    error = simulated.executed_return_stderr
    assert abs(simulated.executed_return - exact.executed_return) < 4 * error
    assert exact.executed_return_stderr == 0 < error


def test_optimality_factors_of_one_s_own(problem: Problem):
    """A factor written by hand, in nats, counts as the reward of the same size would."""
    table = as_program(problem)

    def program():
        for name, value in _run(table).items():
            if name.startswith("r_"):
                pyro.factor(name.replace("r", "O"), value / problem.temperature)

    def _run(model: TrajectoryModel) -> dict[str, torch.Tensor]:
        trace = pyro.poutine.trace(model.program.function).get_trace()
        return {name: node["value"] for name, node in trace.nodes.items() if name[:2] == "r_"}

    model = TrajectoryModel.from_program(
        program, horizon=problem.horizon, temperature=problem.temperature, roles=ROLES_WITHOUT_REWARD
    )
    with RandomStream(0), torch.no_grad():
        own = sample_program(model, FixedDynamics().build(model), 500)
    with RandomStream(0), torch.no_grad():
        added = sample_program(table, FixedDynamics().build(table), 500)
    torch.testing.assert_close(own.log_p.sum(0), added.log_p.sum(0))
    torch.testing.assert_close(own.rewards().sum(0), added.rewards().sum(0))


ROLES_WITHOUT_REWARD = {"s_*": "state", "a_*": "action", "r_*": "latent", "O_*": "optimality"}


def test_tabular_methods_refuse_programs(problem: Problem):
    model = as_program(problem)
    for method in (MessagePassing(), SoftValueIteration()):
        with pytest.raises(ValueError, match="tabular"):
            infer(model, method)
    with pytest.raises(ValueError, match="enumerate"):
        infer(model, SVI(estimator="enumerate"))
    with pytest.raises(ValueError, match="natural"):
        infer(model, SVI(optimizer="natural"))
    with pytest.raises(ValueError, match="program"):
        _ = model.tables
    with pytest.raises(ValueError, match="replaced"):
        model.replaced(temperature=2.0)
