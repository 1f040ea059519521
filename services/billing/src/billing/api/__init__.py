"""Billing's REST resources."""
