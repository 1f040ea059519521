"""What provisioning asks of the other services."""
