"""Analysis of a trained controller: its attractors, and the tuning of its neurons."""
