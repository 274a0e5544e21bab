"""A run that is killed at any moment and resumed ends bit-identical to one that was never stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

CHILD = """
import hashlib, json, sys
import torch
from ppl_control import SimulatorMDP, SoftActorCritic, SoftPolicyGradient, SoftQLearning, TrajectoryModel, infer
from ppl_control.inference import checkpoint

torch.set_num_threads(1)
checkpoint.CALLS = 1  # store after every step
env_id, method, kept, out = sys.argv[1:]
model = TrajectoryModel(SimulatorMDP(env_id), discount=0.99, temperature=0.1)
solution = infer(model, eval(method), seed=3, progress=False, checkpoint=kept)
weights = hashlib.sha256()
for name, value in sorted(solution.policy.state_dict().items()):
    weights.update(name.encode() + value.numpy().tobytes())
history = {name: [float(x).hex() for x in values] for name, values in solution.history.items()}
with open(out, "w") as file:
    json.dump([weights.hexdigest(), solution.log_evidence_bound.hex(), history], file)
"""

RUNS = {
    "sac": ("Pendulum-v1", "SoftActorCritic(steps=600, hidden=(16, 16), batch_size=32, compile=False)"),
    "discrete_sac": ("CartPole-v1", "SoftActorCritic(steps=600, hidden=(16, 16), batch_size=32, compile=False)"),
    "policy_gradient": ("CartPole-v1", "SoftPolicyGradient(steps=20_000)"),
    "deep_soft_q": ("CartPole-v1", "SoftQLearning(steps=6_000)"),
    "tabular_soft_q": ("FrozenLake-v1", "SoftQLearning(steps=20_000)"),
}


def start(name: str, kept: Path, out: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", CHILD, *RUNS[name], str(kept), str(out)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})


def finish(child: subprocess.Popen) -> None:
    _, errors = child.communicate(timeout=300)
    assert child.returncode == 0, errors.decode()


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_killed_and_resumed(name: str, tmp_path: Path):
    whole, parts, kept = tmp_path / "whole.json", tmp_path / "parts.json", tmp_path / "parts.pt"
    began = time.monotonic()
    finish(start(name, tmp_path / "whole.pt", whole))
    seconds = time.monotonic() - began
    moments = np.random.default_rng(0).uniform(0.3, 0.9, 3) * seconds
    killed = 0
    for moment in moments:
        child = start(name, kept, parts)
        try:
            child.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.communicate()
            killed += 1
    assert killed
    finish(start(name, kept, parts))
    assert json.loads(parts.read_text()) == json.loads(whole.read_text())
