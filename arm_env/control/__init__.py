"""Controllers that need no training, and the optimal-control solver."""
