"""Composition root of billing (being built)."""
