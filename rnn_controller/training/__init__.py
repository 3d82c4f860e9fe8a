"""The trainer: configuration, trials, objective, optimiser, loop."""
