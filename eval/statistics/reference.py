"""What players are measured against: the ten named opponents' ratings, and the public baseline.

The ten never change, so their round robins were played once. `RESULTS` holds, for each pair in the
order of `itertools.combinations(OPPONENTS, 2)`, wins, draws and losses of the first in 100,000
games, every deal from both seats, as written by

    python -m eval.tournament all --games 100000 --scoring points --json FILE
    python -m eval.tournament all --games 100000 --scoring animals --json FILE
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from types import MappingProxyType

from bb_sim import OPPONENTS
from eval.matches.match import MatchResult
from eval.statistics.ratings import Counts, HeadToHead, Ratings, fit_ratings

RESULTS: Mapping[str, Sequence[tuple[int, int, int]]] = {
    "points": (
        (7_796, 4_712, 87_492),  # random - heuristic
        (6_978, 4_283, 88_739),  # random - aggressive
        (11_615, 6_153, 82_232),  # random - defensive
        (9_384, 5_081, 85_535),  # random - queue
        (7_997, 4_617, 87_386),  # random - skunk
        (7_500, 4_610, 87_890),  # random - noisy
        (6_744, 4_270, 88_986),  # random - online
        (5_096, 3_388, 91_516),  # random - outcome_heuristic
        (4_952, 3_467, 91_581),  # random - distilled_outcome
        (43_628, 10_659, 45_713),  # heuristic - aggressive
        (50_923, 10_157, 38_920),  # heuristic - defensive
        (45_852, 10_396, 43_752),  # heuristic - queue
        (44_915, 10_373, 44_712),  # heuristic - skunk
        (43_535, 10_599, 45_866),  # heuristic - noisy
        (40_448, 11_047, 48_505),  # heuristic - online
        (35_238, 10_461, 54_301),  # heuristic - outcome_heuristic
        (34_771, 10_518, 54_711),  # heuristic - distilled_outcome
        (51_661, 10_352, 37_987),  # aggressive - defensive
        (46_605, 10_518, 42_877),  # aggressive - queue
        (45_702, 10_482, 43_816),  # aggressive - skunk
        (44_351, 10_517, 45_132),  # aggressive - noisy
        (41_568, 11_076, 47_356),  # aggressive - online
        (35_873, 10_619, 53_508),  # aggressive - outcome_heuristic
        (35_781, 10_617, 53_602),  # aggressive - distilled_outcome
        (41_022, 10_318, 48_660),  # defensive - queue
        (38_810, 10_208, 50_982),  # defensive - skunk
        (38_076, 10_126, 51_798),  # defensive - noisy
        (35_096, 10_802, 54_102),  # defensive - online
        (30_341, 10_192, 59_467),  # defensive - outcome_heuristic
        (30_068, 10_236, 59_696),  # defensive - distilled_outcome
        (43_613, 10_315, 46_072),  # queue - skunk
        (42_558, 10_495, 46_947),  # queue - noisy
        (39_023, 11_036, 49_941),  # queue - online
        (34_378, 10_260, 55_362),  # queue - outcome_heuristic
        (33_735, 10_586, 55_679),  # queue - distilled_outcome
        (43_650, 10_288, 46_062),  # skunk - noisy
        (40_093, 11_030, 48_877),  # skunk - online
        (34_778, 10_534, 54_688),  # skunk - outcome_heuristic
        (34_384, 10_509, 55_107),  # skunk - distilled_outcome
        (41_173, 11_061, 47_766),  # noisy - online
        (36_213, 10_374, 53_413),  # noisy - outcome_heuristic
        (36_101, 10_491, 53_408),  # noisy - distilled_outcome
        (38_391, 11_499, 50_110),  # online - outcome_heuristic
        (38_394, 11_498, 50_108),  # online - distilled_outcome
        (44_236, 11_415, 44_349),  # outcome_heuristic - distilled_outcome
    ),
    "animals": (
        (9_733, 1_371, 88_896),  # random - heuristic
        (8_933, 1_302, 89_765),  # random - aggressive
        (13_879, 1_645, 84_476),  # random - defensive
        (11_681, 1_452, 86_867),  # random - queue
        (9_609, 1_299, 89_092),  # random - skunk
        (9_471, 1_349, 89_180),  # random - noisy
        (8_954, 1_365, 89_681),  # random - online
        (7_066, 1_090, 91_844),  # random - outcome_heuristic
        (7_167, 1_031, 91_802),  # random - distilled_outcome
        (47_844, 2_816, 49_340),  # heuristic - aggressive
        (53_836, 2_778, 43_386),  # heuristic - defensive
        (49_854, 2_804, 47_342),  # heuristic - queue
        (48_142, 2_792, 49_066),  # heuristic - skunk
        (47_449, 2_978, 49_573),  # heuristic - noisy
        (45_959, 3_122, 50_919),  # heuristic - online
        (41_486, 2_950, 55_564),  # heuristic - outcome_heuristic
        (41_089, 2_990, 55_921),  # heuristic - distilled_outcome
        (54_538, 2_859, 42_603),  # aggressive - defensive
        (50_473, 2_801, 46_726),  # aggressive - queue
        (48_785, 2_767, 48_448),  # aggressive - skunk
        (48_160, 2_776, 49_064),  # aggressive - noisy
        (46_903, 3_162, 49_935),  # aggressive - online
        (41_972, 2_905, 55_123),  # aggressive - outcome_heuristic
        (41_945, 2_943, 55_112),  # aggressive - distilled_outcome
        (45_770, 2_881, 51_349),  # defensive - queue
        (42_897, 2_747, 54_356),  # defensive - skunk
        (42_660, 2_783, 54_557),  # defensive - noisy
        (41_509, 3_126, 55_365),  # defensive - online
        (36_794, 2_837, 60_369),  # defensive - outcome_heuristic
        (36_591, 2_998, 60_411),  # defensive - distilled_outcome
        (46_500, 2_798, 50_702),  # queue - skunk
        (46_205, 2_830, 50_965),  # queue - noisy
        (44_519, 3_400, 52_081),  # queue - online
        (39_975, 3_126, 56_899),  # queue - outcome_heuristic
        (39_514, 3_207, 57_279),  # queue - distilled_outcome
        (48_021, 2_694, 49_285),  # skunk - noisy
        (46_108, 3_094, 50_798),  # skunk - online
        (41_256, 3_015, 55_729),  # skunk - outcome_heuristic
        (41_005, 2_920, 56_075),  # skunk - distilled_outcome
        (46_585, 3_191, 50_224),  # noisy - online
        (42_224, 2_983, 54_793),  # noisy - outcome_heuristic
        (42_239, 2_989, 54_772),  # noisy - distilled_outcome
        (42_650, 3_472, 53_878),  # online - outcome_heuristic
        (42_842, 3_389, 53_769),  # online - distilled_outcome
        (48_372, 3_237, 48_391),  # outcome_heuristic - distilled_outcome
    ),
}

#: Strict win rates in percent of the published agents (PPO, 5 to 15 million games, points scoring).
PUBLIC_BASELINE = {
    "random": 93.4,
    "heuristic": 76.8,
    "aggressive": 75.0,
    "defensive": 81.0,
    "queue": 75.6,
    "skunk": 75.6,
    "noisy": 75.6,
    "online": 70.2,
    "outcome_heuristic": 66.0,
    "distilled_outcome": 67.4,
}


def mean_baseline(opponents: Collection[str]) -> float | None:
    """The mean of the public win rates in percent; None unless every opponent has one."""
    if not opponents or not all(opponent in PUBLIC_BASELINE for opponent in opponents):
        return None
    return sum(PUBLIC_BASELINE[opponent] for opponent in opponents) / len(opponents)


def beats_baseline(result: MatchResult) -> bool | None:
    """Whether the win rate lies above the public baseline; None where there is none."""
    baseline = PUBLIC_BASELINE.get(result.opponent)
    return None if baseline is None else 100 * result.win_rate > baseline


@cache
def named_ratings(scoring: str = "points") -> Mapping[str, float]:
    """The Elo of each named opponent under a scoring; `random` has 0."""
    pairs = itertools.combinations(OPPONENTS, 2)
    counts = [
        Counts(player, opponent, *result)
        for (player, opponent), result in zip(pairs, RESULTS[scoring], strict=True)
    ]
    ratings = fit_ratings(counts, {"random": 0.0})
    return MappingProxyType({name: ratings.rating(name) for name in OPPONENTS})


def rate_against_named(
    player: str, results: Sequence[HeadToHead], scoring: str = "points"
) -> Ratings | None:
    """The rating of one player from its games against named opponents.

    The named opponents' ratings are fixed. So all ratings are on one scale, whichever opponents a
    player has met.

    Args:
      player: the player's name in `results`.
      results: any results; only this player's games against named opponents count.
      scoring: the scoring of those games.

    Returns:
      Ratings with the named opponents as anchors; None if the player has met none of them.
    """
    anchors = {n: rating for n, rating in named_ratings(scoring).items() if n != player}
    met = [r for r in results if r.player == player and r.opponent in anchors]
    return fit_ratings(met, anchors) if met else None
