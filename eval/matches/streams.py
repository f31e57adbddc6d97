"""Random streams: which matches share their deals, and what a game and a turn draw."""

import numpy as np


def pair_stream(player: str, opponent: str) -> str:
    """The stream of the deals of a pair: its own, whoever is named first.

    Ratings take the results of different pairs for independent, so these must not share deals:
    whoever is lucky on a deal is so against everybody.
    """
    return "\n".join(sorted((player, opponent)))


def mixed_seeds(seeds: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """uint64 [B] from uint64 [B] game seeds and uint8 [B] turns alone.

    The finalizer of MurmurHash3 (fmix64) over both.
    """
    mixed = seeds ^ (turns.astype(np.uint64) + np.uint64(1)) * np.uint64(0xD1342543DE82EF95)
    for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed ^= mixed >> np.uint64(33)
        mixed *= np.uint64(multiplier)
    mixed ^= mixed >> np.uint64(33)
    return mixed
