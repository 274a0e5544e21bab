"""The lottery: the smallest problem in which conditioning on success is delusional.

Keep your stake and get 0, or buy a ticket that wins ``prize`` with a small probability and else loses its price.
Given success, the ticket must have won, so the posterior buys; the guide that leaves luck alone does not.
"""

from ppl_control.mdp import TabularMDP
from ppl_control.trajectory import TrajectoryModel

__all__ = ["mdp", "model"]


def mdp(win_probability: float = 0.01, prize: float = 10.0, price: float = 1.0) -> TabularMDP:
    """One decision between keeping and buying; rewards in units of the prize's currency.

    Args:
        win_probability: of a ticket.
        prize: what it then pays.
        price: what it costs where it loses.
    """
    start, won, lost, kept = range(4)
    keep = [(1.0, kept, 0.0, True)]
    buy = [(win_probability, won, prize, True), (1.0 - win_probability, lost, -price, True)]
    return TabularMDP.from_outcomes(
        {start: [keep, buy], won: [[], []], lost: [[], []], kept: [[], []]},
        initial=[1.0, 0.0, 0.0, 0.0],
        state_names=["start", "won", "lost", "kept"],
        action_names=["keep", "buy"],
    )


def model(
    win_probability: float = 0.01,
    prize: float = 10.0,
    price: float = 1.0,
    temperature: float = 1.0,
    action_prior: str | None = None,
) -> TrajectoryModel:
    """The lottery as a trajectory model with one decision.

    Args:
        win_probability: of a ticket.
        prize: what it then pays.
        price: what it costs where it loses.
        temperature: α, reward units per nat.
        action_prior: ``"uniform"``, or None for the counting measure.
    """
    return TrajectoryModel(
        mdp(win_probability, prize, price),
        horizon=1,
        temperature=temperature,
        action_prior=action_prior,
    )
