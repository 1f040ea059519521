"""Composition root of notifier (being built)."""
