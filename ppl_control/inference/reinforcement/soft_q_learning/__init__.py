"""Soft Q-learning: Q from sampled transitions, the hard maximum replaced by α log Σ π0 exp(Q/α)."""
