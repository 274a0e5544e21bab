"""How time grows with states, outcomes, horizon, particles and seeds: ``python -m tests.benchmarks.growth``."""
