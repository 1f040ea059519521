"""Postgres, SMTP and the package's own files."""
