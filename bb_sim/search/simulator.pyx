"""Simulations of candidate actions in sampled worlds, for thousands of positions in one call.

A simulation is a world (see `bb_sim.search.worlds`) in which a candidate action, the opponent's
reply and perhaps more turns of both are played. If the result is final then, its worth is exact.
Otherwise a network evaluates the row of the mover's next decision. All candidates of a position are
played in the same worlds, so that luck cancels out of their differences. Equal rows of a position
are written once: late in a game there are few.
"""

import numpy as np

from libc.stdint cimport int8_t, int32_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memset

from bb_sim.opponents.posterior cimport NETWORK_MODEL, NUM_HANDS, NUM_MODELS
from bb_sim.rules.afterstates cimport is_position, legal_actions_of, viewer_of
from bb_sim.rules.bits cimport popcount, trailing_zeros
from bb_sim.rules.engine cimport NUM_ACTIONS, Game, play
from bb_sim.rules.observation cimport OBSERVATION_SIZE, TURN_BYTE
from bb_sim.search.endgame cimport is_endgame_row, position_value
from bb_sim.search.objective cimport (
    Objective, Worth, final_margin, final_outcome, objective_of, worth_of,
)
from bb_sim.search.row_hash cimport hash_of, table_size_for
from bb_sim.search.simulation cimport NO_REPLY, Simulation, play_reply, settle, write_movers_row
from bb_sim.search.worlds cimport (
    Holdings, keep_hand, known_hand, list_holdings, make_world, order_decks,
)

from bb_sim.rules.arguments import checked_array, checked_int
from bb_sim.search.worlds import checked_decks

cpdef enum:
    # From this turn on, rows without hidden cards are searched to the end of the game, which takes
    # microseconds.
    EXACT_FROM = 17

cdef enum:                      # stages: who is to move in the simulations
    IDLE
    OPPONENTS_TURN
    OPPONENTS_ASKED             # the opponents are to move, and the network's rows are written
    MOVERS_TURN


cdef class Simulator:
    """Runs up to `capacity` simulations at once.

    `B` denotes the number of positions, `U` the number of rows at the moment, `H` = 495 the slots of
    hands and `M` = 11 the opponent models of `bb_sim.opponents.posterior`.

    `begin` plays the candidates. `reply` plays the opponents' replies and writes the rows of the
    movers' next decisions; `opponent_rows` comes before it if the network may be the opponent. Then
    `advance` plays these decisions and `reply` follows again, or `sums` ends the simulations. A
    simulation depends on its position's row, seed and belief, on the number of its world, and on
    the decisions given for its rows. It does not depend on the other simulations.

    Args:
      capacity: the number of simulations.
      scoring: "points" or "animals".
      margin_weight: the worth of a final result is outcome + margin_weight * margin; at least 0.
      draw_reward: the outcome of a draw, -1 to 1; a win is 1 and a loss -1.

    Attributes:
      capacity: the number of simulations.
      rows: uint8 [capacity, 19], only to be read; the first U are the rows at the moment.
      asks_network: whether the network may be the opponent in a position, since `begin`.

    Raises:
      TypeError: `capacity` is not an integer.
      ValueError: an argument is out of range, or an array has another dtype or shape.
    """

    cdef readonly Py_ssize_t capacity
    cdef readonly object rows
    cdef readonly bint asks_network
    cdef Worth _worth
    cdef uint8_t[:, ::1] _rows
    cdef Py_ssize_t _num_rows, _table_size
    cdef int _stage
    cdef int32_t* _table        # indices of rows, by their hash
    cdef Simulation* _simulations
    cdef Simulation* _end
    cdef int32_t* _positions    # the position that each row belongs to
    cdef const uint8_t[:, ::1] _observations
    cdef const uint64_t[::1] _candidates, _seeds
    cdef const int32_t[::1] _first_worlds, _num_worlds
    cdef Holdings* _holdings
    cdef const uint8_t[:, :, ::1] _decks    # None where the worlds are drawn
    cdef bint _decks_known
    cdef const double[:, ::1] _shares       # sums over the hands

    # All is made here, where no subclass can leave it out and nobody can do it twice.
    def __cinit__(self, capacity, scoring="points", margin_weight=0.02, draw_reward=0.0):
        self.capacity = checked_int("capacity", capacity, 1, 1 << 24)
        self._worth = worth_of(scoring, margin_weight, draw_reward)
        self._table_size = table_size_for(self.capacity)
        self._table = <int32_t*> malloc(self._table_size * sizeof(int32_t))
        self._simulations = <Simulation*> malloc(self.capacity * sizeof(Simulation))
        self._positions = <int32_t*> malloc(self.capacity * sizeof(int32_t))
        self._holdings = <Holdings*> malloc(sizeof(Holdings))
        if not (self._table and self._simulations and self._positions and self._holdings):
            raise MemoryError(f"no memory for {capacity} simulations")
        rows = np.zeros((self.capacity, OBSERVATION_SIZE), np.uint8)
        self._rows = rows
        # Actions are checked against these rows, so the caller may only read them.
        self.rows = rows.view()
        self.rows.flags.writeable = False
        self._stage = IDLE

    def __dealloc__(self):
        free(self._table)
        free(self._simulations)
        free(self._positions)
        free(self._holdings)

    def begin(self, observations, candidates, seeds, first_worlds, num_worlds, beliefs,
              decks=None):
        """Plays each candidate of each position in each of its worlds.

        Args:
          observations: the decision rows, uint8 [B, 19].
          candidates: the legal actions to try, uint64 [B]; bit a stands for action a.
          seeds: the seeds of the worlds, uint64 [B].
          first_worlds: the number of the first world of each position, int32 [B].
          num_worlds: the number of worlds of each position, int32 [B].
          beliefs: the posteriors of the opponents' models and hands, float32 [B, H, M].
          decks: the decks of players 0 and 1, uint8 [B, 2, 8], for one who sees the hidden cards:
            the species, the next card first, and 255 beyond the end. None draws the hidden cards.
        """
        size = len(observations)
        beliefs = checked_array("beliefs", beliefs, np.float32, (size, NUM_HANDS, NUM_MODELS))
        shares = beliefs.sum(axis=1, dtype=np.float64)
        if not (np.isfinite(shares).all() and beliefs.min(initial=0.0) >= 0):
            raise ValueError("beliefs must be finite weights of at least 0")
        # Copies, so that the caller may change its arrays while the simulations go on.
        arrays = (
            checked_array("observations", observations, np.uint8, (size, OBSERVATION_SIZE)).copy(),
            checked_array("candidates", candidates, np.uint64, (size,)).copy(),
            checked_array("seeds", seeds, np.uint64, (size,)).copy(),
            checked_array("first_worlds", first_worlds, np.int32, (size,)).copy(),
            checked_array("num_worlds", num_worlds, np.int32, (size,)).copy(),
            shares,
        )
        if size and (arrays[3].min() < 0 or arrays[4].min() < 0):
            raise ValueError("first_worlds and num_worlds must not be negative")
        known = None
        if decks is not None:
            known = checked_decks(arrays[0], decks)
        if (arrays[3].astype(np.int64) + arrays[4] > np.iinfo(np.int32).max).any():
            raise ValueError("first_worlds and num_worlds together exceed 2**31 - 1")
        cdef const uint8_t[:, ::1] rows = arrays[0]
        cdef const uint64_t[::1] tried = arrays[1]
        cdef const int32_t[::1] worlds = arrays[4]
        cdef Py_ssize_t simulations = 0
        cdef Py_ssize_t b
        for b in range(tried.shape[0]):
            if not is_position(&rows[b, 0]):
                raise ValueError(f"row {b} of observations shows no position of the game")
            if tried[b] & ~legal_actions_of(&rows[b, 0]):
                raise ValueError(f"the candidates of position {b} are not all legal")
            simulations += popcount(tried[b]) * <Py_ssize_t> worlds[b]
        if simulations > self.capacity:
            raise ValueError(f"{simulations} simulations exceed the capacity of {self.capacity}")
        (self._observations, self._candidates, self._seeds, self._first_worlds, self._num_worlds,
         self._shares) = arrays
        self._decks_known, self._decks = known is not None, known
        self._stage = IDLE
        cdef const float[:, :, ::1] weights = beliefs
        cdef Py_ssize_t done
        with nogil:
            done = self._begin(weights)
        if done < size:
            raise ValueError(f"no hand in the belief about position {done} fits its row")
        self.asks_network = bool((shares[:, NETWORK_MODEL] > 0).any())
        self._num_rows = 0
        self._stage = OPPONENTS_TURN

    def opponent_rows(self):
        """Writes the rows that the network sees where it is the opponent.

        Returns:
          U: the rows are `rows[:U]`.
        """
        self._require(OPPONENTS_TURN)
        with nogil:
            self._write_rows(True)
        self._stage = OPPONENTS_ASKED
        return self._num_rows

    def reply(self, policies=None):
        """Plays the opponents' replies.

        Args:
          policies: the network's probabilities of the actions, float32 [U, 33], in the rows that
            `opponent_rows` wrote; None if no belief has a share for the network.

        Returns:
          U: `rows[:U]` are the movers' next decisions.
        """
        cdef const float[:, ::1] probabilities
        cdef const float* first = NULL
        if policies is not None:
            self._require(OPPONENTS_ASKED)
            shape = (self._num_rows, NUM_ACTIONS)
            probabilities = checked_array("policies", policies, np.float32, shape)
            if self._num_rows:
                first = &probabilities[0, 0]
        else:
            self._require(OPPONENTS_TURN)
            if self.asks_network:
                raise ValueError("policies are needed where the network may be the opponent")
        with nogil:
            self._reply(first)
            self._write_rows(False)
        self._stage = MOVERS_TURN
        return self._num_rows

    def advance(self, actions):
        """Plays the movers' decisions.

        Args:
          actions: a legal action for each row that `reply` wrote, uint8 [U].
        """
        self._require(MOVERS_TURN)
        cdef const uint8_t[::1] chosen = checked_array(
            "actions", actions, np.uint8, (self._num_rows,)
        ).copy()
        cdef Py_ssize_t i
        for i in range(chosen.shape[0]):
            if chosen[i] >= NUM_ACTIONS or not legal_actions_of(&self._rows[i, 0]) >> chosen[i] & 1:
                raise ValueError(f"action {chosen[i]} is not legal in row {i}")
        with nogil:
            self._advance(chosen)
        self._stage = OPPONENTS_TURN

    def sums(self, values):
        """The sum over the worlds of each candidate's values and results.

        Args:
          values: the values of the rows that `reply` wrote, float32 [U]. An endgame (see
            `bb_sim.search.endgame`) from turn `EXACT_FROM` on gets its exact value instead.

        Returns:
          The sums, float64 [B, 33]; 0 for actions that are no candidates.
        """
        self._require(MOVERS_TURN)
        cdef float[::1] judged = checked_array(
            "values", values, np.float32, (self._num_rows,)
        ).copy()
        totals = np.zeros((self._candidates.shape[0], NUM_ACTIONS))
        cdef double[:, ::1] result = totals
        cdef const Simulation* simulation = self._simulations
        cdef Py_ssize_t b, w
        cdef uint64_t actions
        with nogil:
            self._solve_endgames(judged)
            for b in range(self._candidates.shape[0]):
                for w in range(self._num_worlds[b]):
                    actions = self._candidates[b]
                    while actions:
                        result[b, trailing_zeros(actions)] += (
                            simulation.result if simulation.is_final else judged[simulation.place]
                        )
                        actions &= actions - 1
                        simulation += 1
        return totals

    def simulations(self):
        """What each simulation has come to; by position, then world, then candidate.

        `S` denotes the number of simulations.

        Returns:
          places: int32 [S], the index in `rows` of the mover's next decision; -1 if the result is
            final. They belong to the rows that `reply` wrote.
          replies: uint8 [S], the opponent's reply to the mover's last action; 255 if none.
          outcomes, margins: int8 [S], the final result for the mover, a draw 0; 0 if not final.
        """
        self._require(MOVERS_TURN)
        cdef Py_ssize_t size = self._end - self._simulations
        places = np.full(size, -1, np.int32)
        replies = np.empty(size, np.uint8)
        outcomes = np.zeros(size, np.int8)
        margins = np.zeros(size, np.int8)
        cdef int32_t[::1] place = places
        cdef uint8_t[::1] reply = replies
        cdef int8_t[::1] outcome = outcomes
        cdef int8_t[::1] margin = margins
        cdef const Simulation* simulation = self._simulations
        cdef Objective objective
        cdef Py_ssize_t i
        with nogil:
            for i in range(size):
                reply[i] = simulation.reply
                if simulation.is_final:
                    objective = objective_of(
                        &self._observations[simulation.position, 0], simulation.viewer, &self._worth
                    )
                    outcome[i] = final_outcome(&simulation.game, &objective)
                    margin[i] = final_margin(&simulation.game, &objective)
                else:
                    place[i] = simulation.place
                simulation += 1
        return places, replies, outcomes, margins

    def _require(self, int stage):
        if self._stage != stage:
            raise ValueError("begin, opponent_rows, reply, advance and sums come in this order")

    cdef void _solve_endgames(self, float[::1] values) noexcept nogil:
        """Replaces the network's values of endgames by the exact ones."""
        cdef const uint8_t* row
        cdef Py_ssize_t i
        for i in range(self._num_rows):
            row = &self._rows[i, 0]
            if row[TURN_BYTE] >= EXACT_FROM and is_endgame_row(row):
                values[i] = position_value(
                    row, &self._shares[self._positions[i], 0], &self._worth
                )

    cdef Py_ssize_t _begin(self, const float[:, :, ::1] beliefs) noexcept nogil:
        """Begins the simulations. Returns B, or the first position without a holding."""
        cdef Game world
        cdef const uint8_t* row
        cdef Simulation* simulation = self._simulations
        cdef Py_ssize_t b, w
        cdef uint64_t actions
        cdef int viewer, model
        for b in range(self._candidates.shape[0]):
            row = &self._observations[b, 0]
            viewer = viewer_of(row)
            if list_holdings(row, &beliefs[b, 0, 0], self._holdings) == 0:
                return b
            if self._decks_known and keep_hand(self._holdings, known_hand(row, &self._decks[b, 0, 0])) == 0:
                return b
            for w in range(self._first_worlds[b], self._first_worlds[b] + self._num_worlds[b]):
                model = make_world(&world, row, self._holdings, self._seeds[b], w)
                if self._decks_known:
                    order_decks(&world, &self._decks[b, 0, 0])
                actions = self._candidates[b]
                while actions:
                    simulation.game = world
                    simulation.position = b
                    simulation.viewer = viewer
                    simulation.model = model
                    simulation.reply = NO_REPLY
                    play(&simulation.game, trailing_zeros(actions))
                    self._settle(simulation)
                    actions &= actions - 1
                    simulation += 1
        self._end = simulation
        return self._candidates.shape[0]

    cdef void _reply(self, const float* policies) noexcept nogil:
        cdef Simulation* simulation = self._simulations
        cdef const float* policy
        while simulation < self._end:
            if not simulation.is_final:
                policy = NULL
                if simulation.model == NETWORK_MODEL:
                    policy = policies + simulation.place * <Py_ssize_t> NUM_ACTIONS
                play_reply(simulation, policy)
                self._settle(simulation)
            simulation += 1

    cdef inline void _settle(self, Simulation* simulation) noexcept nogil:
        settle(simulation, &self._observations[simulation.position, 0], &self._worth)

    cdef void _advance(self, const uint8_t[::1] actions) noexcept nogil:
        cdef Simulation* simulation = self._simulations
        while simulation < self._end:
            simulation.reply = NO_REPLY
            if not simulation.is_final:
                play(&simulation.game, actions[simulation.place])
                self._settle(simulation)
            simulation += 1

    cdef void _write_rows(self, bint for_network) noexcept nogil:
        """Writes the rows of the players to move: all, or those of the network's turns alone."""
        cdef Simulation* simulation = self._simulations
        cdef Py_ssize_t first_row = 0
        cdef Py_ssize_t slots = 2
        cdef int position = -1
        self._num_rows = 0
        memset(self._table, 0xFF, self._table_size * sizeof(int32_t))
        while simulation < self._end:
            if simulation.position != position:
                position = simulation.position
                first_row = self._num_rows
                slots = table_size_for(
                    popcount(self._candidates[position]) * self._num_worlds[position]
                )
            if not simulation.is_final and (simulation.model == NETWORK_MODEL or not for_network):
                write_movers_row(
                    &simulation.game, simulation.viewer, &self._observations[position, 0],
                    &self._rows[self._num_rows, 0],
                )
                simulation.place = self._place_of_last_row(first_row, slots)
                self._positions[simulation.place] = position
            simulation += 1

    cdef int32_t _place_of_last_row(self, Py_ssize_t first_row, Py_ssize_t slots) noexcept nogil:
        """The index of the row just written, or of an equal row of its position."""
        cdef const uint8_t* row = &self._rows[self._num_rows, 0]
        cdef uint64_t slot = hash_of(row) & (slots - 1)
        cdef int32_t place
        while True:
            place = self._table[slot]
            # An entry of an earlier position counts as empty.
            if place < first_row:
                self._table[slot] = self._num_rows
                self._num_rows += 1
                return self._table[slot]
            if memcmp(&self._rows[place, 0], row, OBSERVATION_SIZE) == 0:
                return place
            slot = (slot + 1) & (slots - 1)
