"""What notifier reads: the `calls` streams and `config`."""
