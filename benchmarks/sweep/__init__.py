"""Sweeps: many training runs, over settings and seeds, on the processors that there are.

``jobs`` turns a table of settings into jobs, ``worker`` does one of them, ``cluster`` gives them to
Ray, and ``table`` collects what came out. The command is ``python -m benchmarks.sweep``.
"""
