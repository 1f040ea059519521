"""Values every service agrees on: money, numbers, ids, time. Standard library only."""
