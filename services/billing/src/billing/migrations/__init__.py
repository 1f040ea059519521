"""Schema `billing`, revision by revision; the SQL of a revision is in `sql/`, by topic."""
