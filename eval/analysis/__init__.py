"""Analysis of positions and games: the engine, its protocol, the notation and the review."""
