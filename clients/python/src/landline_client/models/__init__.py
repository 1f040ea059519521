"""Rows and bodies of the four services."""
