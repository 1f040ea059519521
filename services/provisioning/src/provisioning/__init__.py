"""Who exists and how they are configured."""
