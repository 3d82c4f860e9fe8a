"""The number of arms that are computed side by side."""

LANES = 16
"""Arms of a block, whose component i lies in ``x[LANES i : LANES (i + 1)]``."""
