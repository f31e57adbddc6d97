"""The ten named opponents: scores, choices, and what a move says about who plays."""
