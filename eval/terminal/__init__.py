"""The game in a terminal, or in a pipe: board, choices, hints and review as text."""
