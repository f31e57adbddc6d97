"""One simulation: a game that goes on from a row in one sampled world."""

from libc.stdint cimport uint8_t, uint64_t

from bb_sim.rules.afterstates cimport write_later_row
from bb_sim.search.endgame_search cimport result_value
from bb_sim.rules.engine cimport (
    SCORING_ANIMALS, SCORING_POINTS, Game, is_decided, legal_mask, margin, next_random, play,
    strength_sum,
)
from bb_sim.rules.observation cimport write_observation
from bb_sim.opponents.choice cimport select_opponent_action

cdef extern from *:
    int trailing_zeros "__builtin_ctzll"(unsigned long long) noexcept nogil

cdef enum:
    POINTS_ZERO = 36
    ANIMALS_ZERO = 12
    STRENGTH_ZERO = 78

cdef uint64_t TURN_STEP = <uint64_t>0xD1342543DE82EF95


cdef void settle(Simulation* simulation, const uint8_t* row, const Worth* worth) noexcept nogil:
    cdef const Game* g = &simulation.game
    cdef int viewer = simulation.viewer
    cdef int difference, lead
    simulation.is_final = is_decided(g)
    if not simulation.is_final:
        return
    difference = margin(g, viewer, worth.scoring)
    difference += row[10] - POINTS_ZERO if worth.scoring == SCORING_POINTS else row[11] - ANIMALS_ZERO
    lead = difference
    if lead == 0 and worth.scoring == SCORING_ANIMALS:
        # A tie goes to the lower total strength.
        lead = strength_sum(g.bar[1 - viewer]) - strength_sum(g.bar[viewer])
        lead -= row[12] - STRENGTH_ZERO
    simulation.result = result_value(worth, lead, difference)


cdef int draw_action(const float* probabilities, Game* g) noexcept nogil:
    """A legal action by its probability, from g.rng."""
    cdef uint64_t legal = legal_mask(g)
    cdef uint64_t left = legal
    cdef double total = 0.0
    cdef double place
    while left:
        total += probabilities[trailing_zeros(left)]
        left &= left - 1
    place = total * ((next_random(&g.rng) >> 11) * 2.0 ** -53)
    while legal & (legal - 1):
        place -= probabilities[trailing_zeros(legal)]
        if place < 0:
            break
        legal &= legal - 1
    return trailing_zeros(legal)


cdef void play_reply(Simulation* simulation, const float* policy) noexcept nogil:
    cdef Game* g = &simulation.game
    cdef uint64_t stream = g.rng
    cdef int action
    if simulation.model == ASKED_MODEL:
        action = draw_action(policy, g)
    else:
        action = select_opponent_action(g, simulation.model)
    # However many numbers were drawn: all candidates go on with the same ones.
    g.rng = stream + TURN_STEP
    play(g, action)


cdef void write_movers_row(const Game* g, int viewer, const uint8_t* row,
                           uint8_t* out) noexcept nogil:
    if g.to_move == viewer:
        write_later_row(g, viewer, row, out)
    else:
        write_observation(g, g.to_move, out)
        out[10] -= row[10] - POINTS_ZERO
        out[11] -= row[11] - ANIMALS_ZERO
        out[12] -= row[12] - STRENGTH_ZERO
