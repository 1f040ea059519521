"""What to tell, to whom, in which words, and when to try again: pure functions."""
