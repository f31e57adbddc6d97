"""The strategy guide: what games and searches say about how to play, in words, tables, pictures."""
