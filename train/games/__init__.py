"""An iteration's games: opponents, plan, workers, and the networks that decide."""
