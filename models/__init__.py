"""Worked problems: one problem a file, each with a factory ``model(...)`` of its own settings."""
