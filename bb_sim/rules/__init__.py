"""The rules: one game in C, batches of games, and positions as Python values."""
