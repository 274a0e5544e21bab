"""``load``, ``save``, ``messages``, ``noise_posterior``, ``predict``, the sampled inverse methods, and what is left."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from ppl_control import load, messages, noise_posterior
from ppl_control.callbacks import TensorBoard
from ppl_control.inverse import BayesianIRL, Demonstrations, MLPReward, SampledMaxEntIRL, TabularReward
from ppl_control.mdp import GridLayout
from ppl_control.policies import TabularPolicy
from ppl_control.randomness import RandomStream
from tests.malformed.entry import COUNTS, Entry, accept, refuse
from tests.malformed.models import made
from tests.malformed.test_evaluate import no_solution, solution
from tests.malformed.test_infer import no_callbacks, no_path, no_seed
from tests.malformed.test_rewards import no_demonstrations, no_table_model, walks
from tests.malformed.values import Spoiled, junk, no_flag, no_object

BAYESIAN = BayesianIRL(TabularReward(2, 2), torch.distributions.Normal(0.0, 1.0), method="svi", steps=1, samples=4)
POLICY = TabularPolicy.uniform(3, 2)


def no_observation(_: Any) -> st.SearchStrategy[Spoiled]:
    return st.sampled_from([
        ("None", None), ("text", "here"), ("negative", -1), ("too large", 3), ("half", 0.5),
        ("NaN", math.nan), ("complex", 1j),
        ("ragged", [[0], [0, 1]]), ("an object", object()), ("far too large", np.array([0, 3000])),
        ("a dict", {"s": 0}),
        ("a date", np.datetime64("2020-01-01")), ("beyond 64 bits", 2**70),
    ])  # fmt: skip


def no_rows(_: Any) -> st.SearchStrategy[Spoiled]:
    return junk() | st.sampled_from([("none", ()), ("an empty row", ("",)), ("ragged", ("ab", "a")),
        ("numbers", (1, 2)),
                                     ("None inside", ("a", None)), ("text alone", "SF"),
        ("lists", ([1], [2]))])  # fmt: skip


def no_simulator(_: Any) -> st.SearchStrategy[Spoiled]:
    unfit = st.sampled_from(["table", "linear", "vectors", "program"])
    return no_object()(None) | unfit.map(lambda kind: (f"a model of another kind: {kind}", made(kind)))


@st.composite
def no_episodes(draw: Any, _: Any) -> Spoiled:
    """Demonstrations that are none of CartPole's."""
    states, action = np.zeros(4), 0
    bad = draw(st.sampled_from([
        ("a longer state", (np.zeros(5), action, states)), ("an index as state", (3, action, states)),
        ("NaN in a state", (np.full(4, math.nan), action, states)), ("no such action", (states, 2, states)),
        ("a negative action", (states, -1, states)), ("half an action", (states, 0.5, states)),
        ("no action", (states, None, states)), ("text", (states, "left", states)), ("two entries", (states, action)),
    ]))  # fmt: skip
    if draw(st.booleans()):
        return draw(junk())
    return bad[0], [[bad[1]]]


ENTRIES: dict[str, Entry] = {
    "load": Entry(load, st.just({"path": "no/such/file", "model": made("table")}), {"path": no_path}),
    "save": Entry(solution().save, st.just({}), {"path": no_path}),
    "messages": Entry(messages, st.just({"model": made("table")}), {"model": no_object()}),
    "noise_posterior": Entry(noise_posterior, st.just({"solution": None}), {"solution": no_solution}),
    "RandomStream": Entry(RandomStream, st.just({"seed": 0}), {"seed": no_seed}),
    "GridLayout": Entry(GridLayout, st.just({"rows": ("SF", "FG")}), {"rows": no_rows}),
    "predict": Entry(
        POLICY.predict,
        st.fixed_dictionaries({"observation": st.sampled_from([0, np.array([0, 2]), [1], torch.tensor(2)])}),
        {"observation": no_observation, "deterministic": no_flag},
        {"observation": "observation|state"},
    ),
    "SampledMaxEntIRL": Entry(
        lambda **arguments: SampledMaxEntIRL(MLPReward(state_dim=4, num_actions=2)).fit(**arguments),
        st.just(
            {
                "model": made("simulator").replaced(discount=0.9, horizon=None),
                "demonstrations": [[(np.zeros(4), 0, np.zeros(4))]],
            }
        ),
        {
            "model": no_simulator,
            "demonstrations": no_episodes,
            "seed": no_seed,
            "progress": no_flag,
            "callbacks": no_callbacks,
        },
        {"demonstrations": "demonstrations"},
    ),
    "BayesianIRL": Entry(
        BAYESIAN.fit,
        st.fixed_dictionaries({"model": st.just(made("table")), "demonstrations": walks()}),
        {"model": no_table_model, "demonstrations": no_demonstrations, "seed": no_seed, "progress": no_flag},
        {"model": "model|reward|counts|demonstrations|decisions", "demonstrations": "demonstrations|model|terminated"},
    ),
    "from_trajectories": Entry(
        Demonstrations.from_trajectories,
        st.just({"trajectories": solution().sample(2)}),
        {"trajectories": no_object(), "survival_drawn": lambda _: junk(none=False)},
    ),
    "TensorBoard": Entry(
        TensorBoard,
        st.just({"folder": None}),
        {
            "folder": lambda good: (
                junk().filter(lambda pair: not isinstance(pair[1], str | bytes)) | st.just(("a file", __file__))
            ),
            "evaluations": lambda _: junk(none=False),
        },
        {"evaluations": "evaluations|folder"},
    ),
}


@pytest.mark.parametrize("name", ENTRIES)
@COUNTS
def test_refused(name: str, examples: int) -> None:
    refuse(ENTRIES[name], examples)


@pytest.mark.parametrize("name", ["messages", "RandomStream", "GridLayout", "predict", "from_trajectories"])
def test_unusual(name: str) -> None:
    accept(ENTRIES[name], 10)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        load(Path("no/such/file"), made("table"))
