"""The equations written out a second time; importing a module registers its checks."""

from tests.theory.checks import (
    actor_critic,
    backups,
    bound,
    families,
    gaussian,
    identification,
    inverse,
    learning,
    model,
    orderings,
    particles,
    sampled_inverse,
    stationary,
)

ALL = (
    model, backups, bound, families, orderings, stationary, gaussian, learning, actor_critic, particles, inverse,
    identification, sampled_inverse,
)  # fmt: skip
