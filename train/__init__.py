"""Training: the main job, its games, its learning, its runs and its hosts."""
