"""Luck in games against named opponents, taken out of their results."""
