"""Sequential halving (Karnin, Koren and Somekh, "Almost optimal exploration in multi-armed
bandits", 2013) over the legal actions of many positions at once.

`B` denotes positions, `A` the 33 actions. A position with K candidates takes ceil(log2 K) rounds.
Its worlds are divided evenly among them. After each round the better half of the candidates stays.
"""

import numpy as np


def num_rounds(counts: np.ndarray) -> np.ndarray:
    """The number of rounds for so many candidates: integers [B] -> int32 [B]; at least 1."""
    # The number of bits of K - 1 is ceil(log2 K), exactly.
    bits = np.frexp(np.maximum(np.asarray(counts) - 1, 0).astype(np.float64))[1]
    return np.maximum(bits, 1).astype(np.int32)


def worlds_until(samples: int, after: int, rounds: np.ndarray) -> np.ndarray:
    """The number of worlds played after so many rounds: int32 [B], at most `samples`.

    It is rounded up, so that the first round has a world.
    """
    share = np.minimum(after, rounds).astype(np.int64)
    return (-(-samples * share // rounds)).astype(np.int32)


def keep_better_half(means: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """The candidates that stay.

    Args:
      means: float [B, A].
      alive: bool [B, A].

    Returns:
      bool [B, A]: of n alive candidates the ceil(n / 2) with the highest means; of equal means the
      lower ids.
    """
    order = np.argsort(np.where(alive, -means, np.inf), axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(means.shape[1])[None], axis=1)
    keep = -(-alive.sum(axis=1) // 2)
    return alive & (ranks < keep[:, None])
