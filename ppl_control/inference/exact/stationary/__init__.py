"""Without a horizon: fixed points and linear systems in NumPy and SciPy, dense for small models, sparse for large."""
