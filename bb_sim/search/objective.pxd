"""What the result of a game is worth to the player who searches."""

from libc.stdint cimport uint8_t

from bb_sim.rules.bits cimport popcount
from bb_sim.rules.engine cimport SCORING_POINTS, Game, points_sum, strength_sum

ctypedef struct Worth:          # a result is worth outcome + margin_weight * margin
    double margin_weight
    double draw_reward          # the outcome of a draw; a win is 1 and a loss -1
    int scoring

ctypedef struct Objective:
    Worth worth
    int viewer
    int margin                  # the margin before the game began, by the scoring
    int strength                # the difference of total strength in the bar before it began

# The objective of the viewer of a row, for games that begin with `game_from_row(row)`.
cdef Objective objective_of(const uint8_t* row, int viewer, const Worth* worth) noexcept nogil

# A checked Worth. ValueError where a number is out of range or there is no such scoring.
cdef Worth worth_of(object scoring, double margin_weight, double draw_reward) except *


cdef inline int final_margin(const Game* g, const Objective* o) noexcept nogil:
    """The viewer's margin in a game whose result is final, by the scoring."""
    cdef int own = g.bar[o.viewer]
    cdef int other = g.bar[1 - o.viewer]
    if o.worth.scoring == SCORING_POINTS:
        return o.margin + points_sum(own) - points_sum(other)
    return o.margin + popcount(own) - popcount(other)


cdef inline int final_outcome(const Game* g, const Objective* o) noexcept nogil:
    """1, 0 or -1: how a game whose result is final ends for the viewer."""
    cdef int difference = final_margin(g, o)
    if difference == 0 and o.worth.scoring != SCORING_POINTS:
        # A tie goes to the lower total strength.
        difference = -(o.strength + strength_sum(g.bar[o.viewer])
                       - strength_sum(g.bar[1 - o.viewer]))
    return (difference > 0) - (difference < 0)


cdef inline double final_value(const Game* g, const Objective* o) noexcept nogil:
    """What a game whose result is final is worth to the viewer."""
    cdef int outcome = final_outcome(g, o)
    return ((outcome if outcome else o.worth.draw_reward)
            + o.worth.margin_weight * final_margin(g, o))
