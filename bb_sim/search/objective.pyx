"""What the result of a game is worth to the player who searches."""

from libc.math cimport isfinite

from bb_sim.rules.observation cimport margin_in_row, strength_in_row

from bb_sim.rules.actions import check_scoring


cdef Objective objective_of(const uint8_t* row, int viewer, const Worth* worth) noexcept nogil:
    cdef Objective objective
    objective.worth = worth[0]
    objective.viewer = viewer
    objective.margin = margin_in_row(row, worth.scoring)
    objective.strength = strength_in_row(row)
    return objective


cdef Worth worth_of(object scoring, double margin_weight, double draw_reward) except *:
    cdef Worth worth
    worth.scoring = check_scoring(scoring)
    if not isfinite(margin_weight) or margin_weight < 0:
        raise ValueError(f"margin_weight must be a number from 0 up, not {margin_weight!r}")
    if not -1 <= draw_reward <= 1:
        raise ValueError(f"draw_reward must be a number from -1 to 1, not {draw_reward!r}")
    worth.margin_weight, worth.draw_reward = margin_weight, draw_reward
    return worth
