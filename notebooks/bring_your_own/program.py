"""A Pyro program of your own, here the Monty Hall show; run this file, or ``ppl-control compare`` it.

A car is behind one door. You point at a door, the host opens another one with a goat, you choose for good.
"""

import itertools
import math

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine

from ppl_control import SVI, Comparison, TrajectoryModel, compare, guides

DOORS = 3
EVEN = torch.ones(DOORS, dtype=torch.float64)


def show() -> None:
    """One show; it runs on batches, so that values have the shape [n], or [] in a single run."""
    # yours: any sample site. One that no role claims is latent: a part of the world that the policy is not shown.
    car = pyro.sample("car", dist.Categorical(EVEN))
    # yours: actions are a_0, a_1, …; what they are drawn from here is the action prior.
    first = pyro.sample("a_0", dist.Categorical(EVEN))
    doors = torch.arange(DOORS)
    goats = (doors != car[..., None]) & (doors != first[..., None])
    # yours: states are s_0, s_1, …; write what cannot be as −∞, never as a small number.
    opened = pyro.sample("s_1", dist.Categorical(logits=torch.zeros(DOORS).masked_fill(~goats, -torch.inf)))
    final = pyro.sample("a_1", dist.Categorical(EVEN))
    # yours: rewards r_0, r_1, …, in any unit; the factor exp(r/α) is added for you.
    pyro.deterministic("r_1", ((final == car) & (opened != car)).double())


def model(temperature: float = 0.1) -> TrajectoryModel:
    """The show as a model; the command line looks for this name, and its arguments become ``--set temperature=0.2``."""
    # yours: the number of decisions, and what a policy is shown: roles, or names of sites without their number.
    return TrajectoryModel.from_program(show, horizon=2, temperature=temperature, policy_sees=("s", "a"))


def log_evidence(problem: TrajectoryModel) -> float:
    """Log Z by brute force, nats: every joint value of the sites that are drawn, scored by Pyro."""
    names = ("car", "a_0", "s_1", "a_1")  # yours
    joint = []
    for values in itertools.product(torch.arange(DOORS), repeat=len(names)):
        given = poutine.condition(problem.model, dict(zip(names, values, strict=True)))
        joint.append(poutine.trace(given).get_trace().log_prob_sum())
    return float(torch.logsumexp(torch.stack(joint), 0))


def honest_optimum(temperature: float) -> float:
    """The best ELBO in the world as it is, nats: at the last choice a switch is worth 2/3, to stay 1/3, a goat 0."""
    worth = torch.tensor([2 / 3, 1 / 3, 0.0], dtype=torch.float64)
    return float(torch.logsumexp(worth / temperature, 0)) - math.log(DOORS)


def chance_of_switching(policy: torch.nn.Module) -> float:
    """What the policy does at last, averaged over what it may have seen: a joint index, first · DOORS + opened."""
    seen = [(first, opened) for first in range(DOORS) for opened in range(DOORS) if first != opened]
    chances = [policy(torch.tensor(a * DOORS + s), 1).probs[DOORS - a - s] for a, s in seen]
    return float(torch.stack(chances).mean())


def comparison(problem: TrajectoryModel, steps: int = 300) -> Comparison:
    """A guide that leaves the world alone beside one that may believe what it likes of it."""
    families = {"honest": guides.FixedDynamics(), "optimist": guides.Unconstrained()}
    return compare(problem, {name: SVI(family, steps=steps, learning_rate=0.1) for name, family in families.items()})


if __name__ == "__main__":
    problem = model()
    found = comparison(problem)
    print(found)
    print(f"log Z {log_evidence(problem):.3f} nats; honest optimum {honest_optimum(problem.temperature):.3f} nats")
    for run in found.runs:
        print(f"{run.method}: switches with probability {chance_of_switching(run.solution.policy):.3f}")
