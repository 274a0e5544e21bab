"""Maximum-entropy inverse RL with a simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import nn

from ppl_control.inference.base import Step
from ppl_control.inference.checkpoint import Keeper, require_every
from ppl_control.inference.contracts import IterativeMethod
from ppl_control.inference.reinforcement.soft_actor_critic import SoftActorCritic
from ppl_control.inverse.sampled.checks import require_demonstrations, require_model, require_reward
from ppl_control.inverse.sampled.fit import SampledFit
from ppl_control.inverse.sampled.game import begin
from ppl_control.inverse.sampled.rounds import run
from ppl_control.inverse.sampled.steps import rows_of
from ppl_control.inverse.sampled.stored import game_identity
from ppl_control.randomness import check_seed
from ppl_control.settings import functions, one_of, require_real, require_whole, truth
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["SampledMaxEntIRL"]

FORMS = ("importance", "adversarial")
AGENT = SoftActorCritic(steps=15_000, hidden=(64, 64), temperature="model", compile=False)


@dataclass(frozen=True)
class SampledMaxEntIRL:
    """Maximum causal entropy inverse RL where the dynamics can only be simulated: the dual, with an agent inside.

    Round by round, a MaxEnt agent is trained for the present reward r_ψ, plays a few real episodes, and the reward
    takes a step that pays the demonstrators more and the agent less. Agent, critics and replay are never begun anew:
    what is remembered is paid by the new reward.

    ``form="importance"`` ascends the dual of maximum causal entropy, (E_demo[Σ γᵗ r] − E_demo[V_ψ(s₀)])/α, whose
    gradient is

        (E_demo[Σ γᵗ ∇r] − E_π[Σ γᵗ ∇r]) / α,    π soft-optimal for r_ψ in the true dynamics.

    The second expectation is estimated from episodes that the agent played: the latest count one each; those of rounds
    before (``memory`` in all) count by the per-decision ratios ρ_t = min(c, Π_{u≤t} π_now(a_u|s_u)/π_then(a_u|s_u)),
    normalised among the episodes at each time, so that they stand for the present policy. Those are ratios of
    policies: the expectation is that of the soft-optimal policy, in the dynamics as they are. Weights
    exp(Σ r/α) π0/π on the same episodes estimate something else, the **posterior's** Z and its expectations, with
    tilted dynamics: the objective that ``MaxEntIRL`` calls ``"trajectory"``, and guided cost learning uses. The agent
    lags behind its optimum, so that the gradient is that of a saddle point followed on two time scales.

    ``form="adversarial"`` is AIRL: a discriminator with the policy's density inside, D = exp(f/α)/(exp(f/α) + π(a|s)),
    f = r_ψ(s,a,s') + γ h(s') − h(s) where ``shaping`` h is given, descends −E_demo Σγᵗ log D − E_π Σγᵗ log(1−D). The
    agent is paid r_ψ; the entropy in log D − log(1−D) = f/α − log π is its own, and h changes nothing of what is best.
    Its r is an advantage where ``shaping`` is None and so hangs more on the dynamics than the dual's.

    **Ends.** After a termination nothing follows on either side: reward 0, and r may have either sign, so that living
    long or dying early is rewarded only as far as the demonstrators do. Both forms compare sums of episodes, never
    means of steps, which would not see lengths. A trajectory that was cut off is unknown from there on: at each time
    the mean runs over the trajectories known then, and times that one side knows nothing of do not count.
    Demonstrations start where the model starts. Where nobody said how they ended (``terminated`` is None), those
    shorter than the time limit and than the longest were ended by the world: say ``terminated=False`` of excerpts.

    Args:
        reward: r_ψ(s, a, s'), a module such as ``MLPReward``; copied, never trained itself.
        agent: an iterative method of ours for simulators; its ``steps`` are spread over the rounds. None: soft
            actor-critic, 15,000 steps, layers of (64, 64), the model's temperature. The objective is that of a fixed α,
            ``temperature="model"``; with ``"learned"`` α follows the target entropy, and the reward goes with
            the α that ``solution.temperature`` names.
        form: ``"importance"`` or ``"adversarial"``.
        rounds: of the game, at most.
        episodes: played by the agent each round to be compared, beside those that it learns from. They begin where the
            demonstrations began, as the dual has it, as near as chance allows; each demonstration has its turn.
        tries: seeds tried at the start to find such beginnings.
        memory: rounds whose episodes are used, the latest among them.
        largest_ratio: c; math.inf: not truncated.
        reward_updates: gradient steps on the reward a round; None: 10, and 40 for a discriminator, which has densities
            to follow.
        learning_rate: of Adam on the reward; None: 3e-3, 0.1·α for rewards that are linear in ψ.
        largest_move: how far the reward may move in the first round, nats (the root of its mean squared change over α,
            over what was visited); falls linearly to 0, so that the agent can follow, and what moves comes to rest.
        penalty: λ in −½λ (E_demo + E_π) Σγᵗ (r/α)²/2, per nat: keeps the dual bounded, |r/α| below about 2/λ, where
            demonstrators do what no agent can.
        l2: in −½ l2 |ψ|², nats.
        shaping: h for ``"adversarial"``, a module called as ``reward`` is that looks at the state only, e.g.
            ``MLPReward(state_dim=3, sees="state")``; copied.
        settling: share of the agent's steps kept for the end, when the reward stands still.
        batch_size: rows of either side in a gradient step on the reward; all, where there are fewer.
        patience: rounds over which demonstrators and agent must agree.
        tolerance: standard errors within which the mean difference of Σγᵗ r, between a demonstration and the episodes
            that began like it, must lie, or
        closeness: share of the same difference for the untrained agent. Both 0: all rounds are made.

    Raises:
        ValueError: a setting out of its range; at ``fit``, a model that is no simulator, an agent or reward that cannot
            serve it, or demonstrations that are not of its states and actions.

    Note:
        Rewards are identified up to shaping only, and from few demonstrations loosely where these never went.

    References:
        Ziebart (2010); Zeng, Li, Garcia and Hong (2022), arXiv 2210.01808 (one agent through all rewards); Fu, Luo and
        Levine (2018), arXiv 1710.11248 (AIRL); Finn, Levine and Abbeel (2016), arXiv 1603.00448 (guided cost learning);
        Precup, Sutton and Singh (2000) (per-decision ratios); Kostrikov et al. (2019), arXiv 1809.02925 (ends).
    """

    reward: nn.Module
    agent: IterativeMethod | None = None
    form: Literal["importance", "adversarial"] = "importance"
    rounds: int = 100
    episodes: int = 10
    tries: int = 1000
    memory: int = 3
    largest_ratio: float = 1.0
    reward_updates: int | None = None
    learning_rate: float | None = None
    largest_move: float = 0.5
    penalty: float = 1e-3
    l2: float = 0.0
    shaping: nn.Module | None = None
    settling: float = 0.2
    batch_size: int = 20_000
    patience: int = 10
    tolerance: float = 1.0
    closeness: float = 0.02

    def __post_init__(self) -> None:
        for name, module in (("reward", self.reward), ("shaping", self.shaping)):
            if not isinstance(module, nn.Module) and not (name == "shaping" and module is None):
                raise ValueError(f"{name}: expected a module such as MLPReward, got {module!r}")
            if module is not None and not any(True for _ in module.parameters()):
                raise ValueError(f"{name}: {type(module).__name__} has no parameters to learn")
        if self.agent is not None and (isinstance(self.agent, type) or not isinstance(self.agent, IterativeMethod)):
            raise ValueError(f"agent: expected an iterative method such as SoftActorCritic(), got {self.agent!r}")
        one_of("form", self.form, list(FORMS))
        if self.shaping is not None and self.form != "adversarial":
            raise ValueError(
                "shaping: only form='adversarial' has it; the dual's reward may contain any shaping itself"
            )
        require_whole(self, WHOLE, optional=["reward_updates"])
        require_real(self, ["penalty", "l2", "tolerance", "closeness"], least=0)
        require_real(self, ["largest_ratio", "largest_move"], above=0, infinite=True)
        require_real(self, ["learning_rate"], optional=True, above=0)
        require_real(self, ["settling"], least=0, below=1)

    def fit(
        self,
        model: TrajectoryModel,
        demonstrations: object,
        *,
        seed: int = 0,
        progress: bool = True,
        callbacks: Sequence[Callable[[Step], object]] = (),
        checkpoint: str | Path | None = None,
        checkpoint_every: int | None = None,
    ) -> SampledFit:
        """Learn the reward that demonstrations were good for.

        Ctrl-C ends the fit after the agent's step or the round in flight, with what was learned so far; see ``infer``.

        Args:
            model: a simulator, with its temperature, discount, horizon and action prior; its own reward is not seen.
            demonstrations: ``Demonstrations``, ``Trajectories`` (``expert.sample(10)``), lists of (state, action, next
                state[, terminated]), or a Minari dataset.
            seed: of everything random; the caller's random state is untouched.
            progress: show a progress bar on standard error, one step a round.
            callbacks: called with a ``Step`` after each round, whose state is the ``Game``; True ends the game.
            checkpoint: a file to keep the game in, as for ``infer``: the agent with its replay and environments, the
                reward, and the episodes that are compared. An existing one is resumed, on a CPU bit for bit.
            checkpoint_every: agent's steps and rounds between two writes; None: as for ``infer``.

        Returns:
            Reward, agent and ``history``, one row a round: ``step`` (environment steps, those of episodes played to
            be compared too); ``gap``, (E_demo Σγᵗ r − E_π Σγᵗ r)/α in episodes that the reward had not seen, with
            ``gap_stderr``, nats; ``untrained_gap``, the same for the first round's episodes under the present reward;
            ``objective``, nats (of the dual, with the agent's ELBO for V and so too high as far as the agent is from
            its optimum; minus the logistic loss when adversarial); ``demonstrated_return`` and ``return``, Σγᵗ r,
            reward units; ``ess``, the effective number of episodes behind E_π; ``temperature``; ``moved``, by
            how much the reward moved before, nats.

        Raises:
            ValueError: see above; ``checkpoint`` is no checkpoint of this fit.
            DivergenceError: the run left the finite numbers.
        """
        require_model(model)
        seed, progress = check_seed(seed), truth("progress", progress)
        found, survival_drawn = require_demonstrations(demonstrations, model)
        for name, module in (("reward", self.reward), ("shaping", self.shaping)):
            if module is not None:
                require_reward(name, module, model)
        agent = AGENT if self.agent is None else self.agent
        agent.check(model)
        require_every(checkpoint_every)
        callbacks = functions("callbacks", callbacks)
        game = begin(self, agent, model, rows_of(found), survival_drawn, seed)
        try:
            keeper = None
            if checkpoint is not None:
                keeper = Keeper(game, game_identity(game, seed), checkpoint, checkpoint_every, self.rounds)
            return run(game, progress=progress, callbacks=callbacks, keeper=keeper)
        finally:
            game.close()  # an environment that there is only one of is free again


WHOLE = {"rounds": 1, "episodes": 2, "tries": 1, "memory": 1, "reward_updates": 1, "batch_size": 1, "patience": 1}
