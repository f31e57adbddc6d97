"""The ten named opponents.

Each is a one-ply player: it tries every legal action on a copy of the true state, scores the turn
and plays the best. The copy draws the same card as the true game will. That is part of how these
opponents are defined, so it stays.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from libc.math cimport cos, log, sin, sqrt
from libc.stdint cimport int8_t, uint64_t

from bb_sim.opponents.turn_score cimport NOISY, RANDOM, Turn, score_turn
from bb_sim.rules.batch cimport GameBatch
from bb_sim.rules.bits cimport trailing_zeros
from bb_sim.rules.conversion cimport game_from_state
from bb_sim.rules.engine cimport (
    NUM_ACTIONS, Game, action_parts, deal, is_decided, is_terminal, legal_mask, margin,
    next_random, play, select_bit,
)

from bb_sim.rules.actions import ACTIONS, OPPONENTS, check_scoring
from bb_sim.rules.arguments import as_plain_array, checked_int

cdef extern from *:
    """
    #define BB_TIE 1e-6
    #define BB_TWO_PI 6.283185307179586
    """
    const double TIE "BB_TIE"               # scores this near the best are tied
    const double TWO_PI "BB_TWO_PI"


# --- The choice ---------------------------------------------------------------------------------


cdef void score_actions(const Game* g, uint64_t actions, int opponent,
                        double* scores) noexcept nogil:
    cdef Game after
    cdef Turn turn
    cdef int action
    turn.before, turn.after = g, &after
    turn.me, turn.them = g.to_move, 1 - g.to_move
    while actions:
        action = trailing_zeros(actions)
        actions &= actions - 1
        after = g[0]
        play(&after, action)
        turn.action = action_parts(action)
        scores[action] = score_turn(&turn, opponent)


cdef uint64_t tied_best(uint64_t actions, const double* scores) noexcept nogil:
    cdef uint64_t left = actions
    cdef uint64_t tied = 0
    cdef double best = scores[trailing_zeros(actions)]
    while left:
        best = max(best, scores[trailing_zeros(left)])
        left &= left - 1
    while actions:
        tied |= <uint64_t>(scores[trailing_zeros(actions)] >= best - TIE) << trailing_zeros(actions)
        actions &= actions - 1
    return tied


cdef void add_noise(uint64_t actions, double* scores, uint64_t* rng) noexcept nogil:
    """Adds independent Gaussian noise to two actions at a time (Box and Muller, 1958)."""
    cdef double radius, angle
    while actions:
        # Uniform numbers of 53 bits, the first in (0, 1] and the second in [0, 1).
        radius = NOISE * sqrt(-2.0 * log(((next_random(rng) >> 11) + 1) * 2.0 ** -53))
        angle = TWO_PI * ((next_random(rng) >> 11) * 2.0 ** -53)
        scores[trailing_zeros(actions)] += radius * cos(angle)
        actions &= actions - 1
        if actions:
            scores[trailing_zeros(actions)] += radius * sin(angle)
            actions &= actions - 1


cdef int select_opponent_action(Game* g, int opponent) noexcept nogil:
    cdef double[NUM_ACTIONS] scores
    cdef uint64_t actions = legal_mask(g)
    if opponent == RANDOM:
        return select_bit(actions, &g.rng)
    if actions & (actions - 1) == 0:
        return trailing_zeros(actions)
    score_actions(g, actions, opponent, scores)
    if opponent == NOISY:
        add_noise(actions, scores, &g.rng)
    actions = tied_best(actions, scores)
    if actions & (actions - 1) == 0:
        return trailing_zeros(actions)
    return select_bit(actions, &g.rng)


# --- Python functions ---------------------------------------------------------------------------


cdef int opponent_number(object name) except -1:
    if not isinstance(name, str) or name not in OPPONENTS:
        raise ValueError(f"there is no opponent {name!r}; there are {', '.join(OPPONENTS)}")
    return OPPONENTS.index(name)


cdef uint64_t actions_to_choose_from(const Game* g) except 0:
    if g.num_players != 2:
        raise ValueError(f"the named opponents play two-player games, not games of {g.num_players}")
    if is_terminal(g):
        raise ValueError("the game is over: there is no action to choose")
    return legal_mask(g)


cdef list actions_of(uint64_t mask):
    return [ACTIONS[action] for action in range(NUM_ACTIONS) if mask >> action & 1]


def opponent_scores(state, opponent):
    """An opponent's score of each legal action, without noise.

    Args:
        state: a two-player State with nothing hidden.
        opponent: one of OPPONENTS.

    Returns:
        The score of each Action, a float without a unit, in the order of the action ids. `random`
        gives 0 to all.

    Raises:
        TypeError: `state` is not a State.
        ValueError: there is no such opponent, the game is over or has more than two players, or
            cards are hidden.
    """
    cdef int number = opponent_number(opponent)
    cdef double[NUM_ACTIONS] scores
    cdef Game g
    cdef uint64_t actions
    game_from_state(&g, state)
    actions = actions_to_choose_from(&g)
    score_actions(&g, actions, number, scores)
    legal = [action for action in range(NUM_ACTIONS) if actions >> action & 1]
    return {ACTIONS[action]: scores[action] for action in legal}


def best_actions(state, opponent):
    """The legal actions with an opponent's best score, without noise, in the order of their ids.

    For `random` they are all legal actions. Arguments and errors are those of `opponent_scores`.
    """
    cdef int number = opponent_number(opponent)
    cdef double[NUM_ACTIONS] scores
    cdef Game g
    cdef uint64_t actions
    game_from_state(&g, state)
    actions = actions_to_choose_from(&g)
    score_actions(&g, actions, number, scores)
    return actions_of(tied_best(actions, scores))


def select_opponent_action_from(GameBatch batch not None, index, opponent):
    """The Action that an opponent plays in one game. Ties and noise use the game's random stream.

    Raises:
        IndexError: there is no such game.
        ValueError: there is no such opponent, or the game is over or has more than two players.
    """
    cdef int number = opponent_number(opponent)
    cdef Game* g = batch.checked_game(index)
    actions_to_choose_from(g)
    return ACTIONS[select_opponent_action(g, number)]


def play_opponents(seeds, first, second, num_threads=1, stop_when_decided=False, scoring="points"):
    """Plays whole games between two named opponents.

    `G` denotes the number of games.

    Args:
        seeds: integers [G], 0 to 2**64 - 1. A game depends on its seed and the two names alone.
        first: the name of the opponent in seat 0, which moves first.
        second: the name of the opponent in seat 1.
        num_threads: at least 1.
        stop_when_decided: stop a game as soon as its result is final.
        scoring: `points` or `animals`.

    Returns:
        The margins by the scoring, seat 0 minus seat 1, int8 [G].

    Raises:
        TypeError: `num_threads` is not an integer.
        ValueError: another argument is out of range or unknown.
    """
    cdef int[2] players = [opponent_number(first), opponent_number(second)]
    cdef int rule = check_scoring(scoring)
    cdef bint stop_early = stop_when_decided
    threads = checked_int("num_threads", num_threads, 1, 2**31 - 1)
    seeds = np.asarray(seeds)
    if seeds.ndim != 1 or seeds.dtype.kind not in "iu" or (seeds < 0).any():
        raise ValueError("seeds must be an array [G] of integers from 0 to 2**64 - 1")
    cdef const uint64_t[::1] each_seed = as_plain_array(seeds, np.uint64)
    margins = np.empty(len(seeds), dtype=np.int8)
    cdef int8_t[::1] results = margins

    def play_between(Py_ssize_t start, Py_ssize_t stop):
        play_games(each_seed[start:stop], players, stop_early, rule, results[start:stop])

    threads = min(threads, max(1, len(seeds)))
    bounds = [len(seeds) * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        for finished in [pool.submit(play_between, *pair) for pair in pairwise(bounds)]:
            finished.result()
    return margins


cdef void play_games(const uint64_t[::1] seeds, const int* players, bint stop_when_decided,
                     int scoring, int8_t[::1] margins) noexcept:
    cdef Game g
    cdef Py_ssize_t i
    with nogil:
        for i in range(seeds.shape[0]):
            deal(&g, seeds[i], 0, 2)
            while not (is_decided(&g) if stop_when_decided else is_terminal(&g)):
                play(&g, select_opponent_action(&g, players[g.to_move]))
            margins[i] = margin(&g, 0, scoring)
