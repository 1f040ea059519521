"""Redis, Postgres and files of call-control, behind typed functions."""
