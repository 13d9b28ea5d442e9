"""Texts as vectors: which of two texts mean the same."""
