"""What services say to each other: the envelope, the streams and every event, by producer."""
