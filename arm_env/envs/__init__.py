"""Gymnasium environments of one arm and of many."""
