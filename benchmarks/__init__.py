"""Benchmarks: commands whose results the README quotes."""
