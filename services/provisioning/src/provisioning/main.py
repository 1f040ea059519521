"""Composition root of provisioning (being built)."""
