"""Schema changes of notifier."""
