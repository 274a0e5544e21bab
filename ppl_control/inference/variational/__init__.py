"""Methods that fit a guide."""
