"""The arm on a GPU: the traced equations as functions of its threads, one arm each.

Nothing of it is imported unless a GPU is asked for.
"""
