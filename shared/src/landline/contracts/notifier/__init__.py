"""What notifier publishes on the `messages` stream."""
