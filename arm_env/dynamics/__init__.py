"""The arm: its numbers, its equations, their compiled step and adjoint, and what may disturb it."""
