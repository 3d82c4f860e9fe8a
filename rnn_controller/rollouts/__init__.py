"""Network and arm in closed loop: compiled, with its adjoint, and for torch modules."""
