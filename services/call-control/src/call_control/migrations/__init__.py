"""call-control's tables: what it tells people. Its truth about calls is in Redis."""
