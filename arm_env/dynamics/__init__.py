"""The dynamics of the arm: parameters, equations, compiled step and adjoint, perturbations."""
