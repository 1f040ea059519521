"""What billing follows: the `calls` and `config` streams."""
