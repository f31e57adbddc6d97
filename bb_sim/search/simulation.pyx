"""One simulation: a game that continues from a row in one sampled world."""

from libc.stdint cimport uint8_t, uint64_t

from bb_sim.opponents.choice cimport select_opponent_action
from bb_sim.opponents.posterior cimport NETWORK_MODEL
from bb_sim.rules.afterstates cimport write_later_row
from bb_sim.rules.bits cimport trailing_zeros
from bb_sim.rules.engine cimport Game, is_decided, legal_mask, next_random, play
from bb_sim.rules.observation cimport subtract_margins, write_observation
from bb_sim.search.objective cimport Objective, final_value, objective_of

cdef uint64_t TURN_STEP = <uint64_t>0xD1342543DE82EF95


cdef void settle(Simulation* simulation, const uint8_t* row, const Worth* worth) noexcept nogil:
    cdef Objective objective
    simulation.is_final = is_decided(&simulation.game)
    if simulation.is_final:
        objective = objective_of(row, simulation.viewer, worth)
        simulation.result = final_value(&simulation.game, &objective)


cdef int draw_action(const float* probabilities, Game* g) noexcept nogil:
    """Draws a legal action by its probability, from g.rng."""
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
    if simulation.model == NETWORK_MODEL:
        action = draw_action(policy, g)
    else:
        action = select_opponent_action(g, simulation.model)
    simulation.reply = action
    # The next numbers must not depend on how many were drawn: all candidates share them.
    g.rng = stream + TURN_STEP
    play(g, action)


cdef void write_movers_row(const Game* g, int viewer, const uint8_t* row,
                           uint8_t* out) noexcept nogil:
    if g.to_move == viewer:
        write_later_row(g, viewer, row, out)
    else:
        write_observation(g, g.to_move, out)
        subtract_margins(out, row)
