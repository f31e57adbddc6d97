"""Thousands of games in one call, on numpy arrays.

`B` denotes the number of games, `P` the number of players. Every game has its own random stream:
results depend on the seeds alone, not on the size of the batch or the number of threads.
"""

import operator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free

from bb_sim.rules.bits cimport popcount
from bb_sim.rules.conversion cimport check_legal, game_from_state, state_from_game
from bb_sim.rules.engine cimport (
    MAX_PLAYERS, NUM_ACTIONS, SCORING_POINTS, Game, deal, is_decided, is_terminal, legal_mask,
    play, points_sum, select_bit, select_random_action_nogil,
)
from bb_sim.rules.observation cimport OBSERVATION_SIZE, write_observation_of

from bb_sim.rules.actions import ACTIONS, check_scoring
from bb_sim.rules.arguments import as_plain_array, checked_int

cpdef enum:
    NO_MOVE = 255               # in `GameBatch.step`: the game stays as it is


cdef int to_move_of(const Game* g) noexcept nogil:
    return g.to_move


cdef int turn_of(const Game* g) noexcept nogil:
    return g.turn


cdef int terminal_of(const Game* g) noexcept nogil:
    return is_terminal(g)


cdef int decided_of(const Game* g) noexcept nogil:
    return is_decided(g)


cdef class GameBatch:
    """`B` games side by side. A new batch holds the games of the seeds 0 to B - 1.

    Args:
        num_games: B, at least 1.
        num_players: P, 2 to 4, the same for all games.

    Raises:
        TypeError: an argument is not an integer.
        ValueError: it is out of range.
        MemoryError: there is no room for so many games.
    """

    def __cinit__(self, num_games, num_players=2):
        count = checked_int("num_games", num_games, 1, 2**31 - 1)
        self.num_players = checked_int("num_players", num_players, 2, MAX_PLAYERS)
        self.games = <Game*>calloc(<size_t>count, sizeof(Game))
        if self.games is NULL:
            raise MemoryError(f"no room for {count} games of {sizeof(Game)} bytes")
        self.num_games = count
        cdef int i
        with nogil:
            for i in range(self.num_games):
                deal(&self.games[i], i, 0, self.num_players)

    def __dealloc__(self):
        free(self.games)

    def __len__(self):
        return self.num_games

    @property
    def nbytes(self):
        """The memory of the games in bytes."""
        return self.num_games * sizeof(Game)

    def reset(self, seeds, first_player=0):
        """Deals new games. The deal depends on the seed alone.

        Args:
            seeds: integers [B], 0 to 2**64 - 1.
            first_player: the player who begins, the same in all games.
        """
        cdef const uint64_t[::1] checked = checked_integers(
            "seeds", seeds, np.uint64, self.num_games
        )
        cdef int first = checked_int("first_player", first_player, 0, self.num_players - 1)
        cdef int i
        with nogil:
            for i in range(self.num_games):
                deal(&self.games[i], checked[i], first, self.num_players)

    # --- What the games look like ---------------------------------------------------------------

    def legal_masks(self):
        """The legal actions, uint64 [B]: bit a is set if action a is legal."""
        masks = np.empty(self.num_games, dtype=np.uint64)
        cdef uint64_t[::1] view = masks
        cdef int i
        with nogil:
            for i in range(self.num_games):
                view[i] = legal_mask(&self.games[i])
        return masks

    def observations(self, out=None):
        """The observations of two-player games, each for the player to move.

        Args:
            out: the array to write into, uint8 [B, OBSERVATION_SIZE], C-contiguous and writable.

        Returns:
            `out`, or a new array of that shape.
        """
        cdef uint8_t[:, ::1] rows
        cdef Game* g
        cdef int i
        out = self.checked_rows("out", out)
        rows = out
        with nogil:
            for i in range(self.num_games):
                g = &self.games[i]
                write_observation_of(g, g.to_move, legal_mask(g), &rows[i, 0])
        return out

    @property
    def to_move(self):
        """The player to move, uint8 [B]; in a finished game, the seat after the last player."""
        return self.of_each_game(to_move_of)

    @property
    def turns(self):
        """Plies played, uint8 [B]."""
        return self.of_each_game(turn_of)

    @property
    def terminal(self):
        """Whether all cards are played, bool [B]."""
        return self.of_each_game(terminal_of).view(bool)

    @property
    def decided(self):
        """Whether the scores are final because no gate can open any more, bool [B]."""
        return self.of_each_game(decided_of).view(bool)

    cdef object of_each_game(self, int (*read)(const Game*) noexcept nogil):
        """The result of a function of each game, uint8 [B]."""
        values = np.empty(self.num_games, dtype=np.uint8)
        cdef uint8_t[::1] view = values
        cdef int i
        for i in range(self.num_games):
            view[i] = read(&self.games[i])
        return values

    def scores(self, scoring="points"):
        """The points in the bar, or with `animals` the number of animals there, int32 [B, P]."""
        cdef int number = check_scoring(scoring)
        values = np.empty((self.num_games, self.num_players), dtype=np.int32)
        cdef int32_t[:, ::1] view = values
        cdef int i, player
        cdef unsigned int bar
        for i in range(self.num_games):
            for player in range(self.num_players):
                bar = self.games[i].bar[player]
                view[i, player] = points_sum(bar) if number == SCORING_POINTS else popcount(bar)
        return values

    # --- Playing --------------------------------------------------------------------------------

    def step(self, actions):
        """Plays one turn in every game.

        Args:
            actions: action ids [B], uint8 or integers that fit. NO_MOVE (255) leaves a game as it
                is; a finished game accepts nothing else.

        Raises:
            ValueError: an action is not legal. The message names it, and no game has changed.
        """
        cdef const uint8_t[::1] checked = checked_integers(
            "actions", actions, np.uint8, self.num_games
        )
        cdef int i
        cdef int illegal = -1
        with nogil:
            for i in range(self.num_games):
                if checked[i] != NO_MOVE and (
                    checked[i] >= NUM_ACTIONS or not legal_mask(&self.games[i]) >> checked[i] & 1
                ):
                    illegal = i
                    break
            if illegal < 0:
                for i in range(self.num_games):
                    if checked[i] != NO_MOVE:
                        play(&self.games[i], checked[i])
        if illegal >= 0:
            check_legal(&self.games[illegal], checked[illegal], f"game {illegal}: ")

    def step_random(self):
        """Plays a uniformly random turn in every game that is not over.

        Returns:
            The actions played, uint8 [B], NO_MOVE for a finished game.
        """
        actions = np.empty(self.num_games, dtype=np.uint8)
        cdef uint8_t[::1] view = actions
        cdef Game* g
        cdef int i
        with nogil:
            for i in range(self.num_games):
                g = &self.games[i]
                if is_terminal(g):
                    view[i] = NO_MOVE
                else:
                    view[i] = select_random_action_nogil(g)
                    play(g, view[i])
        return actions

    def play_random(self, num_threads=1, stop_when_decided=False, observations=None):
        """Plays every game to its end with uniformly random actions.

        Args:
            num_threads: at least 1; the result does not depend on it.
            stop_when_decided: stop a game as soon as its scores are final.
            observations: the array to write observations into, uint8 [B, OBSERVATION_SIZE],
                C-contiguous and writable. Each decision overwrites the last one of its game.

        Returns:
            The number of turns played.
        """
        cdef bint stop_early = stop_when_decided
        cdef uint8_t[:, ::1] rows
        cdef uint8_t* first_row = NULL
        threads = min(checked_int("num_threads", num_threads, 1, 2**31 - 1), self.num_games)
        if observations is not None:
            rows = self.checked_rows("observations", observations)
            first_row = &rows[0, 0]
        if threads == 1:
            return self.play_slice(0, self.num_games, stop_early, first_row)
        bounds = [self.num_games * i // threads for i in range(threads + 1)]

        def play_between(int start, int stop):
            return self.play_slice(start, stop, stop_early, first_row)

        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(play_between, bounds[:threads], bounds[1:]))

    cdef long long play_slice(self, int start, int stop, bint stop_when_decided,
                              uint8_t* first_row) noexcept:
        cdef long long steps = 0
        cdef Game* g
        cdef uint64_t legal
        cdef int i
        with nogil:
            for i in range(start, stop):
                g = &self.games[i]
                while not (is_decided(g) if stop_when_decided else is_terminal(g)):
                    legal = legal_mask(g)
                    if first_row is not NULL:
                        write_observation_of(
                            g, g.to_move, legal, first_row + <size_t>i * OBSERVATION_SIZE
                        )
                    play(g, select_bit(legal, &g.rng))
                    steps += 1
        return steps

    # --- Checks ---------------------------------------------------------------------------------

    cdef object checked_rows(self, str name, out):
        """A checked output array for observations, or a new one if `out` is None."""
        if self.num_players != 2:
            raise ValueError(f"observations are of two-player games, not of {self.num_players}")
        shape = (self.num_games, OBSERVATION_SIZE)
        if out is None:
            return np.empty(shape, dtype=np.uint8)
        if not isinstance(out, np.ndarray):
            raise TypeError(f"{name} must be a numpy array, not {type(out).__name__}")
        if out.dtype != np.uint8 or out.shape != shape:
            raise ValueError(f"{name} must be uint8 of shape {shape}, not {out.dtype} {out.shape}")
        if not out.flags.c_contiguous or not out.flags.writeable:
            raise ValueError(f"{name} must be C-contiguous and writable")
        return out

    cdef Game* checked_game(self, index) except NULL:
        try:
            number = operator.index(index)
        except TypeError:
            raise TypeError(f"a game index is an integer, not {index!r}") from None
        if not 0 <= number < self.num_games:
            raise IndexError(f"game index {number} is outside 0 to {self.num_games - 1}")
        return &self.games[<int>number]


def c_state_to_python(GameBatch batch not None, index):
    """The State of one game of a batch.

    Raises:
        IndexError: there is no such game.
    """
    return state_from_game(batch.checked_game(index))


def python_to_c_state(state, GameBatch batch not None, index):
    """Writes a State into one game of a batch. The game keeps its random stream.

    Raises:
        IndexError: there is no such game.
        ValueError: cards are hidden, or the batch has another number of players.
    """
    cdef Game* g = batch.checked_game(index)
    cdef Game checked
    checked.rng = g.rng
    game_from_state(&checked, state)
    if checked.num_players != batch.num_players:
        raise ValueError(
            f"the state has {checked.num_players} players, the batch {batch.num_players}"
        )
    g[0] = checked


def select_random_action(GameBatch batch not None, index):
    """A uniformly random legal Action of one game, drawn from that game's random stream.

    Raises:
        IndexError: there is no such game.
        ValueError: the game is over.
    """
    cdef Game* g = batch.checked_game(index)
    if is_terminal(g):
        raise ValueError(f"game {index} is over: there is no action to select")
    return ACTIONS[select_random_action_nogil(g)]


cdef object checked_integers(str name, values, dtype, int length):
    """Integers [length] as a C-contiguous array of an unsigned dtype; none may be out of range."""
    array = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
    if array.shape != (length,):
        raise ValueError(f"{name} must have shape ({length},), one a game, not {array.shape}")
    if array.dtype != dtype:
        high = int(np.iinfo(dtype).max)
        if array.dtype.kind not in "iuO":
            raise TypeError(f"{name} must be integers, not {array.dtype}")
        array = np.array(
            [checked_int(f"{name}[{i}]", value, 0, high) for i, value in enumerate(array.tolist())],
            dtype=dtype,
        )
    return as_plain_array(array)
