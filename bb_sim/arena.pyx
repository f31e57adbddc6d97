"""Many two-player games at once between named opponents and external policies.

An arena has S slots and a list of G games. A slot plays its game until an external policy has to
decide; named opponents play by themselves. The caller answers all waiting slots with one batch of
actions. When its game ends, a slot takes the next game of the list, so the batches stay full. Which
slot plays which game depends on the games alone, never on time.
"""

import operator
from itertools import combinations

import numpy as np

from libc.stdint cimport int8_t, int32_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from bb_sim.opponents.choice cimport select_opponent_action
from bb_sim.rules.conversion cimport state_from_game
from bb_sim.rules.engine cimport (
    NUM_ACTIONS, NUM_SPECIES, Game, deal, is_decided, is_terminal, legal_mask, margin, outcome,
    play,
)
from bb_sim.rules.observation cimport OBSERVATION_SIZE, write_observation

from bb_sim.rules.actions import ACTIONS, OPPONENTS, check_scoring
from bb_sim.rules.arguments import checked_array, checked_int

cdef enum:
    NO_GAME = -1

cpdef enum:
    EXTERNAL = 16               # a controller from here on is an external policy
    NO_DECISION = 255           # in `deciders`: the slot waits for nothing
    NO_ACTION = 255             # in `step`: the decision goes on waiting
    MAX_DECISIONS = NUM_SPECIES     # of one seat in one game: one for each of its cards


def _buffer(given, name, shape, dtype):
    """A checked output array, writable and C-contiguous, or a new one if `given` is None."""
    if given is None:
        return np.zeros(shape, dtype)
    if not isinstance(given, np.ndarray) or given.dtype != dtype or given.shape != shape:
        raise ValueError(f"{name} must be a {np.dtype(dtype).name} array of shape {shape}")
    if not (given.flags.c_contiguous and given.flags.aligned and given.flags.writeable):
        raise ValueError(f"{name} must be C-contiguous, aligned and writable")
    return given


def _check_apart(**arrays):
    """Refuses contiguous arrays that share memory, where one would be written over by another."""
    for (name, array), (other_name, other) in combinations(arrays.items(), 2):
        if np.may_share_memory(array, other):
            raise ValueError(f"{name} and {other_name} must not share memory")


cdef class RolloutBuffer:
    """The record of the decisions of one external policy, the learner.

    N denotes the number of trajectories, each of one seat of one game. T = 12 is the number of
    decisions of a seat.

    Attributes:
      observations: the learner's observations, uint8 [N, T, 19].
      actions: the actions played, uint8 [N, T].
      log_probs: the log-probabilities of the actions when they were played, float32 [N, T].
      lengths: the number of decisions of each trajectory, int32 [N]; 0 if no game used it.
      rewards: the outcome and the margin, paid at the last decision, float32 [N, 2].
    """

    cdef readonly object observations, actions, log_probs, lengths, rewards
    cdef uint8_t[:, :, ::1] _observations
    cdef uint8_t[:, ::1] _actions
    cdef float[:, ::1] _log_probs
    cdef int32_t[::1] _lengths
    cdef float[:, ::1] _rewards

    # As in Arena, all is made here: arrays made anew would leave arenas with indices beyond them.
    def __cinit__(self, num_trajectories, *, observations=None, actions=None, log_probs=None,
                  lengths=None, rewards=None):
        n, t = checked_int("num_trajectories", num_trajectories, 0, 2**31 - 1), MAX_DECISIONS
        self.observations = _buffer(
            observations, "observations", (n, t, OBSERVATION_SIZE), np.uint8
        )
        self.actions = _buffer(actions, "actions", (n, t), np.uint8)
        self.log_probs = _buffer(log_probs, "log_probs", (n, t), np.float32)
        self.lengths = _buffer(lengths, "lengths", (n,), np.int32)
        self.rewards = _buffer(rewards, "rewards", (n, 2), np.float32)
        _check_apart(observations=self.observations, actions=self.actions,
                     log_probs=self.log_probs, lengths=self.lengths, rewards=self.rewards)
        self._observations, self._actions = self.observations, self.actions
        self._log_probs, self._lengths, self._rewards = self.log_probs, self.lengths, self.rewards


cdef class Arena:
    """Plays a list of games in `num_slots` slots.

    S denotes the number of slots, G the number of games. Seat 0 moves first.

    Args:
      num_slots: S, at least 1.
      scoring: "points" or "animals".
      stop_when_decided: end a game as soon as its result is final.
      observations: an array to use for the attribute, such as shared memory, uint8 [S, 19].
      deciders: an array to use for the attribute, uint8 [S].

    Attributes:
      observations: the observation of each slot's mover, uint8 [S, 19]; zero if the slot waits for
        nothing.
      deciders: the external policy that each slot waits for, uint8 [S], or NO_DECISION.
      games: the index of each slot's game, int32 [S], or -1.
      pending: the number of slots that wait for a decision; 0 when all games are over.
      margins: the margins by the scoring, seat 0 minus seat 1, int8 [G].
      outcomes: +1, 0 or -1 for seat 0, int8 [G].

    Raises:
      TypeError: `num_slots` is not an integer.
      ValueError: an argument is out of range, or an array has another dtype or shape.
    """

    cdef Game* _slots
    cdef int _num_slots, _scoring, _next_game, _num_games, _pending
    cdef bint _stop_when_decided
    cdef readonly object observations, deciders, games, margins, outcomes
    cdef RolloutBuffer _record
    cdef uint8_t[:, ::1] _observations
    cdef uint8_t[::1] _deciders
    cdef int32_t[::1] _games
    cdef int8_t[::1] _margins, _outcomes
    cdef uint64_t[::1] _seeds
    cdef uint8_t[:, ::1] _controllers
    cdef int32_t[:, ::1] _trajectories

    # All is made here, where no subclass can leave it out and nobody can do it twice.
    def __cinit__(self, num_slots, scoring="points", stop_when_decided=True, *,
                  observations=None, deciders=None):
        num_slots = checked_int("num_slots", num_slots, 1, 1 << 24)
        self._num_slots = num_slots
        self._slots = <Game*> calloc(num_slots, sizeof(Game))
        if self._slots == NULL:
            raise MemoryError(f"no memory for {num_slots} games")
        self._scoring = check_scoring(scoring)
        self._stop_when_decided = stop_when_decided
        self.observations = _buffer(
            observations, "observations", (num_slots, OBSERVATION_SIZE), np.uint8
        )
        self.deciders = _buffer(deciders, "deciders", (num_slots,), np.uint8)
        _check_apart(observations=self.observations, deciders=self.deciders)
        games = np.full(num_slots, NO_GAME, np.int32)
        self._observations, self._deciders, self._games = self.observations, self.deciders, games
        # The arena indexes by these numbers, so the caller may only read them.
        self.games = games.view()
        self.games.flags.writeable = False
        Arena.start(self, np.zeros(0, np.uint64), np.zeros((0, 2), np.uint8))

    def __dealloc__(self):
        free(self._slots)

    @property
    def num_slots(self):
        return self._num_slots

    @property
    def pending(self):
        return self._pending

    def start(self, seeds, controllers, *, rollout=None, trajectories=None):
        """Starts a new list of games and plays to the first external decisions.

        Args:
          seeds: the seed of each game, uint64 [G]; the deal depends on it alone.
          controllers: who plays each seat, uint8 [G, 2]: an index into OPPONENTS, or EXTERNAL + k
            for the external policy k.
          rollout: the RolloutBuffer that records decisions of external policies, or None.
          trajectories: the trajectory in `rollout` of each seat, int32 [G, 2]; -1 for none.
        """
        seeds = np.ascontiguousarray(seeds)
        controllers = np.ascontiguousarray(controllers)
        if seeds.dtype != np.uint64 or seeds.ndim != 1:
            raise ValueError("seeds must be a uint64 array of one dimension")
        num_games = len(seeds)
        if controllers.dtype != np.uint8 or controllers.shape != (num_games, 2):
            raise ValueError(f"controllers must be a uint8 array of shape ({num_games}, 2)")
        if ((controllers >= len(OPPONENTS)) & (controllers < EXTERNAL)).any():
            raise ValueError(
                f"a controller is an opponent below {len(OPPONENTS)} or {EXTERNAL} and above"
            )
        if (controllers == NO_DECISION).any():
            raise ValueError(f"external policies end at {NO_DECISION - EXTERNAL - 1}")
        if rollout is None:
            trajectories = np.full((num_games, 2), -1, np.int32)
        else:
            trajectories = self._checked_trajectories(rollout, trajectories, controllers)
            rollout.lengths[trajectories[trajectories >= 0]] = 0
        self.margins = np.zeros(num_games, np.int8)
        self.outcomes = np.zeros(num_games, np.int8)
        # Copies, so that the caller may change its arrays while the games go on.
        self._seeds, self._controllers = seeds.copy(), controllers.copy()
        self._trajectories, self._record = trajectories, rollout
        self._margins, self._outcomes = self.margins, self.outcomes
        self._num_games, self._next_game, self._pending = num_games, 0, 0
        self.observations[:] = 0
        self.deciders[:] = NO_DECISION
        cdef int slot
        with nogil:
            for slot in range(self._num_slots):
                if self._take_next_game(slot):
                    self._play_on(slot)

    def _checked_trajectories(self, rollout, trajectories, controllers):
        if not isinstance(rollout, RolloutBuffer):
            raise ValueError("rollout must be a RolloutBuffer")
        trajectories = np.asarray(trajectories)
        if trajectories.dtype.kind not in "iu" or trajectories.shape != controllers.shape:
            raise ValueError(f"trajectories must be an int32 array of shape {controllers.shape}")
        used = trajectories[trajectories >= 0]
        number = (<RolloutBuffer> rollout)._lengths.shape[0]
        if used.size and used.max() >= number:
            raise ValueError(f"trajectory {used.max()} lies beyond the rollout's {number}")
        if len(np.unique(used)) != used.size:
            raise ValueError("a trajectory belongs to one seat of one game")
        if (controllers[trajectories >= 0] < EXTERNAL).any():
            raise ValueError("only the decisions of external policies are recorded")
        return np.maximum(trajectories, -1).astype(np.int32, order="C")

    def step(self, actions, log_probs=None):
        """Plays the decisions, and then each slot to its next decision.

        Args:
          actions: the action ids, uint8 [S]. NO_ACTION leaves a decision waiting. Entries of slots
            that wait for nothing are ignored.
          log_probs: the log-probabilities of the actions, float32 [S]; needed while a rollout is
            recorded.

        Raises:
          ValueError: an action is not legal. The message names it, and nothing has changed.
        """
        # Copies, because the caller's arrays may lie in memory that is written to on the way.
        cdef const uint8_t[::1] chosen = checked_array(
            "actions", actions, np.uint8, (self._num_slots,)
        ).copy()
        cdef const float[::1] acting = None
        if self._record is not None:
            if log_probs is None:
                raise ValueError("log_probs are needed while a rollout is recorded")
            acting = checked_array(
                "log_probs", log_probs, np.float32, (self._num_slots,)
            ).copy()
        cdef int slot, illegal
        with nogil:
            illegal = self._first_illegal(chosen)
        if illegal >= 0:
            action = chosen[illegal]
            name = str(ACTIONS[action]) if action < NUM_ACTIONS else f"action {action}"
            raise ValueError(f"{name} is not legal in slot {illegal} (game {self._games[illegal]})")
        with nogil:
            for slot in range(self._num_slots):
                if self._games[slot] == NO_GAME or chosen[slot] == NO_ACTION:
                    continue
                if self._record is not None:
                    self._record_decision(slot, chosen[slot], acting[slot])
                self._pending -= 1
                play(&self._slots[slot], chosen[slot])
                self._play_on(slot)

    def state(self, slot):
        """The State of the game in a slot that waits for a decision.

        Raises:
          TypeError: `slot` is not an integer.
          IndexError: there is no such slot.
          ValueError: the slot holds no game.
        """
        try:
            slot = operator.index(slot)
        except TypeError:
            raise TypeError(f"a slot is an integer, not {slot!r}") from None
        if not 0 <= slot < self._num_slots:
            raise IndexError(f"slot {slot} is not one of {self._num_slots}")
        if self._games[slot] == NO_GAME:
            raise ValueError(f"slot {slot} holds no game")
        return state_from_game(&self._slots[slot])

    cdef int _first_illegal(self, const uint8_t[::1] chosen) noexcept nogil:
        """The first slot whose action is not legal, or -1."""
        cdef int slot
        for slot in range(self._num_slots):
            if self._games[slot] == NO_GAME or chosen[slot] == NO_ACTION:
                continue
            if (chosen[slot] >= NUM_ACTIONS
                    or not legal_mask(&self._slots[slot]) >> chosen[slot] & 1):
                return slot
        return -1

    cdef bint _take_next_game(self, int slot) noexcept nogil:
        """Deals the next game of the list into a slot. False if there is none."""
        if self._next_game == self._num_games:
            self._games[slot] = NO_GAME
            self._deciders[slot] = NO_DECISION
            memset(&self._observations[slot, 0], 0, OBSERVATION_SIZE)
            return False
        self._games[slot] = self._next_game
        deal(&self._slots[slot], self._seeds[self._next_game], 0, 2)
        self._next_game += 1
        return True

    cdef void _play_on(self, int slot) noexcept nogil:
        """Plays a slot's games until an external policy has to decide or no game is left."""
        cdef Game* game = &self._slots[slot]
        cdef int controller
        while True:
            if is_decided(game) if self._stop_when_decided else is_terminal(game):
                self._finish(slot)
                if not self._take_next_game(slot):
                    return
            controller = self._controllers[self._games[slot], game.to_move]
            if controller >= EXTERNAL:
                write_observation(game, game.to_move, &self._observations[slot, 0])
                self._deciders[slot] = <uint8_t> (controller - EXTERNAL)
                self._pending += 1
                return
            play(game, select_opponent_action(game, controller))

    cdef void _finish(self, int slot) noexcept nogil:
        """Notes the result of a slot's game and pays the rewards of its trajectories."""
        cdef Game* game = &self._slots[slot]
        cdef int index = self._games[slot]
        cdef int seat, trajectory
        self._margins[index] = <int8_t> margin(game, 0, self._scoring)
        self._outcomes[index] = <int8_t> outcome(game, 0, self._scoring)
        for seat in range(2):
            trajectory = self._trajectories[index, seat]
            if trajectory >= 0:
                self._record._rewards[trajectory, 0] = outcome(game, seat, self._scoring)
                self._record._rewards[trajectory, 1] = margin(game, seat, self._scoring)

    cdef void _record_decision(self, int slot, uint8_t action, float log_prob) noexcept nogil:
        cdef int trajectory = self._trajectories[self._games[slot], self._slots[slot].to_move]
        cdef int t
        if trajectory < 0:
            return
        t = self._record._lengths[trajectory]
        if not 0 <= t < MAX_DECISIONS:
            return  # the caller has changed `lengths`, which would lead out of the array
        memcpy(&self._record._observations[trajectory, t, 0], &self._observations[slot, 0],
               OBSERVATION_SIZE)
        self._record._actions[trajectory, t] = action
        self._record._log_probs[trajectory, t] = log_prob
        self._record._lengths[trajectory] = t + 1
