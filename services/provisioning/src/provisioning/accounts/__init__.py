"""People who log in: passwords, sessions, access tokens and the keys that sign them; device secrets.

Owns the tables admins, sessions, refresh_tokens, signing_keys and login_throttle. An access token is valid
by itself for ten minutes; a session can be ended at once, and every process hears of it by the config
stream. See docs/decisions/0007-accounts-and-tokens.md.
"""
