"""Composition root of call-control (being built)."""
