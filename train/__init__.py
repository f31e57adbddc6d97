"""Training: the main job, actors, opponent pool, schedules, checkpoints and metrics."""
