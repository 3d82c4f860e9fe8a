"""What a trained controller does: attractors, and the tuning of its neurons."""
