"""Attacks on the program, from outside; see docs/attacks.md. Not shipped."""
