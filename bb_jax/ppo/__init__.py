"""Proximal policy optimization: from an iteration's trajectories to one update."""
