"""What keeps call-control's Redis up to date: streams of the other services, and the rebuild."""
