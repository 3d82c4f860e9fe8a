"""Compilation of equations: tracing, generation of code, the cache."""
