"""What provisioning publishes on the `config` stream."""
