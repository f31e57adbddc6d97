"""One game of Beasty Bar as a plain C struct, and the rules on it: no GIL, no allocation.

Cards are bytes, `owner << 4 | species`, with species 0 (skunk) to 11 (lion) in order of strength.
Sets of one player's cards are bit masks over the species.
"""

from libc.stdint cimport int8_t, uint8_t, uint16_t, uint32_t, uint64_t

from bb_sim.rules.bits cimport popcount

cpdef enum:                     # attributes of the module in Python too
    MAX_PLAYERS = 4
    NUM_SPECIES = 12
    NUM_ACTIONS = 33
    HAND_SIZE = 4
    DECK_SIZE = 8
    QUEUE_SIZE = 4              # animals in the queue between turns, at most
    QUEUE_LIMIT = 5             # animals in the queue that open the gate
    NUM_PLIES = 24              # turns of a game of two players

cdef enum:
    MAX_CARDS = 48
    MAX_LEGAL_ACTIONS = 15
    MAX_STEPS = 6               # the action, four recurring actions, the gate

cdef enum:
    SKUNK = 0
    PARROT = 1
    KANGAROO = 2
    MONKEY = 3
    CHAMELEON = 4
    SEAL = 5
    ZEBRA = 6
    GIRAFFE = 7
    SNAKE = 8
    CROCODILE = 9
    HIPPO = 10
    LION = 11

cdef enum:
    SPECIES_BITS = 0x0F         # species of a card code; the bits above are the owner
    OWNER_SHIFT = 4
    EMPTY = 0x0F                # byte of the queue without a card
    WENT_TO_BAR = 0x80          # flag in Game.departed; without it the card went to THAT'S IT
    ALL_SPECIES = 0x0FFF

cdef enum:
    SCORING_POINTS = 0
    SCORING_ANIMALS = 1

ctypedef struct Game:
    uint64_t rng                        # state of the game's own random stream
    uint8_t queue[8]                    # card codes, 0 = front; EMPTY from queue_len on
    uint8_t queue_len
    uint8_t num_players
    uint8_t to_move
    uint8_t turn                        # plies played
    uint8_t cards_left                  # cards in all hands and decks together
    uint8_t num_departed
    uint16_t hand[MAX_PLAYERS]          # species masks, one a player
    uint16_t deck_set[MAX_PLAYERS]      # the deck as a set
    uint16_t bar[MAX_PLAYERS]
    uint16_t thats_it[MAX_PLAYERS]
    uint8_t deck_left[MAX_PLAYERS]
    uint8_t deck[MAX_PLAYERS][DECK_SIZE]    # species; deck[p][deck_left[p] - 1] is drawn next
    uint8_t departed[MAX_CARDS]         # cards that left the queue, in order, with WENT_TO_BAR

ctypedef struct ActionParts:            # what an action id stands for
    uint8_t played                      # species that leaves the hand
    uint8_t acts_as                     # species whose action is carried out; CHAMELEON: none
    int8_t param                        # hop of the kangaroo, target of the parrot, -1 for none

ctypedef struct TurnStep:               # the open cards after one step of a turn
    uint8_t card                        # who acts; EMPTY for the gate
    uint8_t queue_len
    uint8_t num_departed
    uint8_t queue[8]


# Deals a new game. The deal depends on the seed alone; first_player only says who begins.
cdef void deal(Game* g, uint64_t seed, int first_player, int num_players) noexcept nogil

# Bit a is set where action a is legal for g.to_move; 0 when the game is over.
cdef uint64_t legal_mask(const Game* g) noexcept nogil

# Plays a whole turn of g.to_move. The action must be legal.
cdef void play(Game* g, int action) noexcept nogil

# Carries out a turn up to the gate, and records the queue after the action, after each recurring
# action and after the gate. Returns the number of steps, at most MAX_STEPS. Hand, deck and turn of
# the game stay as they are. The action must be legal.
cdef int open_steps(Game* g, int action, TurnStep* steps) noexcept nogil

# A uniformly random legal action, drawn from g.rng. The game must not be over.
cdef int select_random_action_nogil(Game* g) noexcept nogil

# A uniformly random set bit of a mask that is not 0.
cdef int select_bit(uint64_t mask, uint64_t* rng) noexcept nogil

# For two players. The margin is the player's score minus the opponent's; the outcome is +1 for a
# win, 0 for a draw and -1 for a loss.
cdef int margin(const Game* g, int player, int scoring) noexcept nogil
cdef int outcome(const Game* g, int player, int scoring) noexcept nogil

cdef ActionParts action_parts(int action) noexcept nogil


cdef inline bint is_terminal(const Game* g) noexcept nogil:
    """All cards are played."""
    return g.cards_left == 0


cdef inline bint is_decided(const Game* g) noexcept nogil:
    """The scores are final: too few cards are left in queue, hands and decks to open the gate."""
    return g.cards_left + g.queue_len < QUEUE_LIMIT


cdef inline int points_sum(unsigned int species) noexcept nogil:
    """The points of a set of species: 2 for each, and 1 more in each mask that holds it."""
    return 2 * popcount(species) + popcount(species & 0x2DF) + popcount(species & 0x047)


cdef inline int strength_sum(unsigned int species) noexcept nogil:
    """The total strength of a set of species. A mask holds the species with one bit of 1 to 12."""
    return (popcount(species & 0x555) + 2 * popcount(species & 0x666)
            + 4 * popcount(species & 0x878) + 8 * popcount(species & 0xF80))


cdef inline uint64_t next_random(uint64_t* rng) noexcept nogil:
    """splitmix64 (Steele, Lea and Flood, 2014)."""
    rng[0] += <uint64_t>0x9E3779B97F4A7C15
    cdef uint64_t z = rng[0]
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef inline uint32_t random_below(uint64_t* rng, uint32_t n) noexcept nogil:
    """Uniform over 0..n-1 by multiply and shift; the bias is below n / 2**32."""
    return <uint32_t>(((next_random(rng) >> 32) * n) >> 32)
