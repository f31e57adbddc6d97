"""What a search needs of the game: sampled worlds, playouts in them, exact endgames."""
