"""Games of people: whom they can play against, and how a game goes on."""
