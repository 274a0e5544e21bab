"""Solutions on disk: for the model they were fitted to, and for no other."""

import pytest
import torch
from torch import nn

from ppl_control import SVI, MessagePassing, SoftValueIteration, evaluate, infer, load
from ppl_control.guides import FixedDynamics
from ppl_control.models import hiking, lottery
from ppl_control.policies import CategoricalMLP, Policy
from tests.problems import random_problem


@pytest.mark.parametrize(
    "other",
    [
        lottery.model(),
        hiking.model(noise=0.2),
        hiking.model(horizon=12),
        hiking.model(temperature=0.1 + 1e-9),
        hiking.model(action_prior=None),
        hiking.model().replaced(discount=0.99),
    ],
    ids=["world", "noise", "horizon", "temperature", "prior", "discount"],
)
def test_another_model_is_refused(other, tmp_path):
    infer(hiking.model(), MessagePassing()).save(tmp_path / "a.pt")
    assert load(tmp_path / "a.pt", hiking.model()).log_evidence_bound > 88
    with pytest.raises(ValueError, match=r"model: .*was fitted to"):
        load(tmp_path / "a.pt", other)


def test_priors_are_told_apart(tmp_path):
    one, other = (random_problem(seed, prior="policy").model().action_prior for seed in (0, 1))
    model = random_problem(0).model().replaced(action_prior=one)
    infer(model, SoftValueIteration()).save(tmp_path / "a.pt")
    with pytest.raises(ValueError, match="model"):
        load(tmp_path / "a.pt", model.replaced(action_prior=other))


def test_files_that_are_no_solutions(tmp_path):
    path = tmp_path / "a.pt"
    with pytest.raises(FileNotFoundError):
        load(path, lottery.model())
    for content in (b"", b"junk"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"path: .*no saved solution"):
            load(path, lottery.model())
    torch.save({"format": "another"}, path)
    with pytest.raises(ValueError, match=r"path|model"):
        load(path, lottery.model())


def test_networks_come_back_whole(tmp_path):
    model = hiking.model()
    policy = CategoricalMLP(4, features=torch.randn(25, 3, dtype=torch.float64), horizon=13, hidden=(5, 4))
    solution = infer(model, SVI(FixedDynamics(policy), steps=3), progress=False)
    solution.save(tmp_path / "a.pt")
    loaded = load(tmp_path / "a.pt", model)
    states = torch.arange(25)
    assert torch.equal(loaded.policy(states, 4).probs, solution.policy(states, 4).probs)
    assert evaluate(loaded, model).executed_return == evaluate(solution, model).executed_return
    assert loaded.method == repr(solution.method)


class Own(Policy):
    """A policy of the user's, which nothing here knows how to build again."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def forward(self, state: torch.Tensor, t=None) -> torch.distributions.Categorical:
        return torch.distributions.Categorical(logits=self.logits.expand(*state.shape, 2))


def test_a_policy_of_one_s_own_is_fitted_but_not_saved(tmp_path):
    solution = infer(lottery.model(), SVI(FixedDynamics(Own()), steps=300), progress=False)
    assert solution.log_evidence_bound == pytest.approx(0.344055, abs=1e-3)
    with pytest.raises(ValueError, match=r"policy: cannot save a Own.*state_dict"):
        solution.save(tmp_path / "a.pt")
    assert list(tmp_path.iterdir()) == []
