"""Random streams: which matches share their deals, and the numbers of a game's turns."""

import numpy as np


def pair_stream(player: str, opponent: str) -> str:
    """The name of the stream that a pair draws its deals from, whoever is named first.

    Ratings assume that the results of different pairs are independent. Shared deals would break
    that: a player who is lucky on a deal is lucky against everybody.
    """
    return "\n".join(sorted((player, opponent)))


def mixed_seeds(seeds: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Seeds uint64 [B] of turns uint8 [B] in games of seeds uint64 [B], and of nothing else.

    They are mixed by MurmurHash3's finalizer (fmix64).
    """
    mixed = seeds ^ (turns.astype(np.uint64) + np.uint64(1)) * np.uint64(0xD1342543DE82EF95)
    for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed ^= mixed >> np.uint64(33)
        mixed *= np.uint64(multiplier)
    mixed ^= mixed >> np.uint64(33)
    return mixed
