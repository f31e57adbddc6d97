"""The probability of each action for each named opponent.

`random` is uniform over the legal actions. `noisy` plays an action with the probability that its
score is the largest once noise is added. The others are uniform over the actions with the best
score.
"""

from libc.math cimport erfc, exp, sqrt
from libc.stdint cimport uint64_t
from libc.string cimport memset

from bb_sim.opponents.choice cimport (
    NOISE, actions_to_choose_from, opponent_number, score_actions, tied_best,
)
from bb_sim.opponents.turn_score cimport HEURISTIC, NOISY, RANDOM, Turn, score_turn
from bb_sim.rules.bits cimport popcount, trailing_zeros
from bb_sim.rules.conversion cimport game_from_state
from bb_sim.rules.engine cimport NUM_ACTIONS, Game, action_parts, legal_mask

from bb_sim.rules.actions import ACTIONS

# The unit is the standard deviation of the noise.
cdef enum:
    HOPELESS = 8                # an action so far below the best wins less than once in 10**7 turns
    LOWEST = -6                 # where the tables begin
    HIGHEST = 8                 # where they end; the distribution function is 1 from there on
    PER_UNIT = 64               # table entries for each unit
    TABLE_SIZE = (HIGHEST - LOWEST) * PER_UNIT + 2
    FIRST_NODE = -10            # nodes of the quadrature, in half units
    LAST_NODE = 11

cdef double[TABLE_SIZE] DENSITY             # of the standard normal distribution
cdef double[TABLE_SIZE] DISTRIBUTION


cdef void fill_tables() noexcept:
    cdef int i
    cdef double x
    for i in range(TABLE_SIZE):
        x = LOWEST + <double>i / PER_UNIT
        DENSITY[i] = exp(-0.5 * x * x)      # without its constant factor, which cancels out
        DISTRIBUTION[i] = normal_distribution(x)


cdef inline double normal_distribution(double x) noexcept nogil:
    return 0.5 * erfc(-x / sqrt(2.0))


fill_tables()


# --- Noise --------------------------------------------------------------------------------------


cdef void quadrature(int number, const double* means, double* probabilities) noexcept nogil:
    """Writes the probability of each independent normal variable to be the largest of all.

    The variances are 1 and the largest mean is 0. The probability of variable i is the integral
    over x of the density at x - means[i] times the distribution functions of all others at
    x - means[j]. It is computed by the trapezoidal rule with a step of 1/2, whose error falls
    faster than any power of the step here, and by linear interpolation in the tables. The results
    are scaled to sum to 1.
    """
    cdef double[NUM_ACTIONS] densities, distributions, product_before
    cdef double place, part, product, total
    cdef int node, i, entry
    memset(probabilities, 0, number * sizeof(double))
    for node in range(FIRST_NODE, LAST_NODE + 1):
        product = 1.0
        for i in range(number):
            place = (0.5 * node - means[i] - LOWEST) * PER_UNIT
            densities[i], distributions[i] = 0.0, 1.0
            if place < (HIGHEST - LOWEST) * PER_UNIT:
                entry = <int>place
                part = place - entry
                densities[i] = DENSITY[entry] + part * (DENSITY[entry + 1] - DENSITY[entry])
                distributions[i] = DISTRIBUTION[entry] + part * (
                    DISTRIBUTION[entry + 1] - DISTRIBUTION[entry])
            product_before[i] = product
            product *= distributions[i]
        product = 1.0
        for i in range(number - 1, -1, -1):
            probabilities[i] += densities[i] * product_before[i] * product
            product *= distributions[i]
    total = 0.0
    for i in range(number):
        total += probabilities[i]
    for i in range(number):
        probabilities[i] /= total


cdef void noisy_probabilities(uint64_t actions, const double* scores,
                              double* probabilities) noexcept nogil:
    cdef double[NUM_ACTIONS] means, chances
    cdef int[NUM_ACTIONS] candidates
    cdef uint64_t left = actions
    cdef double best = scores[trailing_zeros(actions)]
    cdef double below
    cdef int number = 0
    cdef int i
    while left:
        best = max(best, scores[trailing_zeros(left)])
        left &= left - 1
    while actions:
        i = trailing_zeros(actions)
        actions &= actions - 1
        below = (scores[i] - best) / NOISE
        probabilities[i] = 0.0
        if below > -HOPELESS:
            candidates[number], means[number] = i, below
            number += 1
    if number == 1:
        chances[0] = 1.0
    elif number == 2:
        chances[0] = normal_distribution((means[0] - means[1]) / sqrt(2.0))
        chances[1] = 1.0 - chances[0]
    else:
        quadrature(number, means, chances)
    for i in range(number):
        probabilities[candidates[i]] = chances[i]


# --- Probabilities ------------------------------------------------------------------------------


cdef void probabilities_of_scores(int opponent, uint64_t actions, const double* scores,
                                  double* probabilities) noexcept nogil:
    cdef uint64_t best
    cdef double share
    if opponent == NOISY:
        noisy_probabilities(actions, scores, probabilities)
        return
    best = actions if opponent == RANDOM else tied_best(actions, scores)
    share = 1.0 / popcount(best)
    while actions:
        probabilities[trailing_zeros(actions)] = share * (best >> trailing_zeros(actions) & 1)
        actions &= actions - 1


cdef void opponent_probabilities(const Game* g, int opponent, double* probabilities) noexcept nogil:
    cdef double[NUM_ACTIONS] scores
    cdef uint64_t actions = legal_mask(g)
    memset(probabilities, 0, NUM_ACTIONS * sizeof(double))
    if opponent != RANDOM and actions & (actions - 1):
        score_actions(g, actions, opponent, scores)
    elif opponent != RANDOM:
        opponent = RANDOM       # the only action has the probability 1
    probabilities_of_scores(opponent, actions, scores, probabilities)


cdef void score_turn_for(const Game* before, const Game* after, int action, unsigned int opponents,
                         double* scores) noexcept nogil:
    cdef unsigned int computed = opponents
    cdef Turn turn
    cdef double score
    cdef int opponent
    turn.before, turn.after = before, after
    turn.me, turn.them = before.to_move, 1 - before.to_move
    turn.action = action_parts(action)
    while opponents:
        opponent = trailing_zeros(opponents)
        opponents &= opponents - 1
        if opponent == NOISY and computed >> HEURISTIC & 1:
            score = scores[HEURISTIC * NUM_ACTIONS + action]    # the same without the noise
        else:
            score = score_turn(&turn, opponent)
        scores[opponent * NUM_ACTIONS + action] = score


# --- Python functions ---------------------------------------------------------------------------


def opponent_action_probabilities(state, opponent):
    """The probability of each legal action for an opponent, for `noisy` accurate to 1e-4.

    Args:
        state: a two-player State with nothing hidden.
        opponent: one of OPPONENTS.

    Returns:
        The probability of each Action, in the order of the action ids. They sum to 1.

    Raises:
        TypeError: `state` is not a State.
        ValueError: there is no such opponent, the game is over or has more than two players, or
            cards are hidden.
    """
    cdef int number = opponent_number(opponent)
    cdef double[NUM_ACTIONS] probabilities
    cdef Game g
    cdef uint64_t actions
    g.rng = 0
    game_from_state(&g, state)
    actions = actions_to_choose_from(&g)
    opponent_probabilities(&g, number, probabilities)
    legal = [action for action in range(NUM_ACTIONS) if actions >> action & 1]
    return {ACTIONS[action]: probabilities[action] for action in legal}
