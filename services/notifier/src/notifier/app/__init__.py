"""Use cases: learn who exists, note facts, tell them, send mails, send one again."""
