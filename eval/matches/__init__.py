"""Matches: who can play, which deals they share, how games are played and resumed."""
