"""Equations to compiled code: tracing, code generation, the cache."""
