"""The trainer: configuration, movements, objective, optimiser, loop."""
