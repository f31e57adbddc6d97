"""Pictures of positions, drawn from the rules' own states: `python -m eval.pictures`."""
