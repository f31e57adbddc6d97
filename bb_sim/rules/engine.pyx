"""The rules of Beasty Bar on `Game`.

The queue is worked on as one 64-bit word, see `packed_queue`.
"""

import sys

from libc.string cimport memcpy, memset

from bb_sim.rules.bits cimport leading_zeros, popcount
from bb_sim.rules.packed_queue cimport (
    EMPTY_QUEUE, EVERY_BYTE, MARKS, before, card_at, count_at_least, first_marked, insert,
    mark_at, marks_of_at_least, marks_of_card, marks_of_species, move_forward, pack, remove,
    reversed_line, species_present, unpack,
)

if sys.byteorder != "little":
    raise ImportError("bb_sim packs the queue into a little-endian word; this machine is big-endian")

cdef enum:
    # Action ids: plain species in order of strength, then the animals with a choice.
    PLAY_SKUNK = 0
    PLAY_MONKEY = 1
    PLAY_SEAL = 2
    PLAY_ZEBRA = 3              # to 8 (lion), in order of strength
    KANGAROO_HOP = 9            # + hop 0..2
    PARROT_NO_TARGET = 12
    PARROT_TARGET = 13          # + target
    COPY_NOTHING = 17
    COPY_PLAIN = 18             # + action id of the plain play
    COPY_KANGAROO_HOP = 26      # + hop 1..2
    COPY_PARROT_TARGET = 29     # + target
    # Zebra to lion have consecutive action ids and need no table.
    LOW_SPECIES = 1 << ZEBRA

# Legal actions by queue length and the set of species below zebra: in the hand for PLAYS, in the
# queue for COPIES.
cdef uint64_t PLAYS[QUEUE_LIMIT][LOW_SPECIES]
cdef uint64_t COPIES[QUEUE_LIMIT][LOW_SPECIES]
cdef ActionParts ACTION_PARTS[NUM_ACTIONS]
cdef uint8_t NTH_BIT[8][256]    # [n][byte]: position of the n-th set bit of the byte


# --- Tables -----------------------------------------------------------------------------------


cdef void define_action(int action, int played, int acts_as, int param) noexcept:
    ACTION_PARTS[action].played = played
    ACTION_PARTS[action].acts_as = acts_as
    ACTION_PARTS[action].param = param


cdef void fill_action_parts() noexcept:
    cdef int action, param
    cdef int[9] plain = [SKUNK, MONKEY, SEAL, ZEBRA, GIRAFFE, SNAKE, CROCODILE, HIPPO, LION]
    for action in range(9):
        define_action(action, plain[action], plain[action], -1)
        define_action(COPY_PLAIN + action, CHAMELEON, plain[action], -1)
    for param in range(3):
        define_action(KANGAROO_HOP + param, KANGAROO, KANGAROO, param)
    for param in range(1, 3):
        define_action(COPY_KANGAROO_HOP + param, CHAMELEON, KANGAROO, param)
    define_action(PARROT_NO_TARGET, PARROT, PARROT, -1)
    for param in range(4):
        define_action(PARROT_TARGET + param, PARROT, PARROT, param)
        define_action(COPY_PARROT_TARGET + param, CHAMELEON, PARROT, param)
    define_action(COPY_NOTHING, CHAMELEON, CHAMELEON, -1)


cdef void fill_legal_tables() noexcept:
    cdef int length, low
    cdef uint64_t targets, hops, plain
    for length in range(QUEUE_LIMIT):
        targets = (<uint64_t>1 << length) - 1
        hops = (<uint64_t>1 << min(length, 2)) - 1
        for low in range(LOW_SPECIES):
            plain = (low >> SKUNK & 1) << PLAY_SKUNK
            plain |= (low >> MONKEY & 1) << PLAY_MONKEY
            plain |= (low >> SEAL & 1) << PLAY_SEAL
            PLAYS[length][low] = plain
            COPIES[length][low] = plain << COPY_PLAIN
            if low >> KANGAROO & 1:
                PLAYS[length][low] |= hops << (KANGAROO_HOP + 1) if length else 1 << KANGAROO_HOP
                COPIES[length][low] |= hops << (COPY_KANGAROO_HOP + 1)
            if low >> PARROT & 1:
                PLAYS[length][low] |= targets << PARROT_TARGET if length else 1 << PARROT_NO_TARGET
                COPIES[length][low] |= targets << COPY_PARROT_TARGET


cdef void fill_nth_bit() noexcept:
    cdef int byte, position, n
    for byte in range(256):
        n = 0
        for position in range(8):
            if byte >> position & 1:
                NTH_BIT[n][byte] = position
                n += 1


fill_action_parts()
fill_legal_tables()
fill_nth_bit()


cdef ActionParts action_parts(int action) noexcept nogil:
    return ACTION_PARTS[action]


# --- Leaving the queue ------------------------------------------------------------------------


cdef inline void send_to_thats_it(Game* g, uint8_t card) noexcept nogil:
    g.thats_it[card >> OWNER_SHIFT] |= 1 << (card & SPECIES_BITS)
    g.departed[g.num_departed] = card
    g.num_departed += 1


cdef inline void send_to_bar(Game* g, uint8_t card) noexcept nogil:
    g.bar[card >> OWNER_SHIFT] |= 1 << (card & SPECIES_BITS)
    g.departed[g.num_departed] = card | WENT_TO_BAR
    g.num_departed += 1


cdef inline uint64_t expel(Game* g, uint64_t queue, uint64_t marks) noexcept nogil:
    """Sends the marked animals to THAT'S IT, the foremost first."""
    cdef int position
    while marks:
        position = first_marked(marks)
        send_to_thats_it(g, card_at(queue, position))
        queue = remove(queue, position)
        g.queue_len -= 1
        marks = (marks & (marks - 1)) >> 8
    return queue


# --- The animals ------------------------------------------------------------------------------
# A function with a `position` moves an animal that already stands in the queue. The others take the
# queue and the new card, and return the queue with the card in its place. `strength` is the species
# that acts; for a chameleon it is not the species of the card.


cdef inline int stopping_place(uint64_t queue, int position, int strength) noexcept nogil:
    """The place behind the nearest zebra or equal or stronger animal ahead of a position."""
    cdef uint64_t stops = marks_of_species(queue, ZEBRA) | marks_of_at_least(queue, strength)
    return (64 - leading_zeros(stops & before(position) | 1)) >> 3


cdef inline uint64_t hippo(uint64_t queue, int position, int strength) noexcept nogil:
    return move_forward(queue, position, stopping_place(queue, position, strength))


cdef inline uint64_t crocodile(Game* g, uint64_t queue, int position, int strength) noexcept nogil:
    cdef int end = stopping_place(queue, position, strength)
    while position > end:
        position -= 1
        send_to_thats_it(g, card_at(queue, position))
        queue = remove(queue, position)
        g.queue_len -= 1
    return queue


cdef inline uint64_t giraffe(uint64_t queue, int position, int strength) noexcept nogil:
    if position > 0 and (card_at(queue, position - 1) & SPECIES_BITS) < strength:
        queue = move_forward(queue, position, position - 1)
    return queue


cdef inline uint64_t lion(Game* g, uint64_t queue, uint8_t card) noexcept nogil:
    if marks_of_species(queue, LION):
        send_to_thats_it(g, card)
        g.queue_len -= 1
        return queue
    return insert(expel(g, queue, marks_of_species(queue, MONKEY)), 0, card)


cdef inline uint64_t snake(uint64_t queue, int length, uint8_t card, int strength) noexcept nogil:
    cdef uint64_t line = EMPTY_QUEUE
    cdef uint8_t other
    cdef int i
    for i in range(length):
        other = card_at(queue, i)
        line = insert(line, count_at_least(line, i, other & SPECIES_BITS), other)
    return insert(line, count_at_least(line, length, strength), card)


cdef inline uint64_t monkey(Game* g, uint64_t queue, int length, uint8_t card) noexcept nogil:
    cdef uint64_t marks = marks_of_species(queue, MONKEY)
    if not marks:
        return insert(queue, length, card)
    queue = expel(g, queue, marks_of_species(queue, HIPPO) | marks_of_species(queue, CROCODILE))
    marks = marks_of_species(queue, MONKEY)
    while marks:
        queue = move_forward(queue, first_marked(marks), 0)
        marks &= marks - 1
    return insert(queue, 0, card)


cdef inline uint64_t parrot(Game* g, uint64_t queue, int length, uint8_t card,
                            int target) noexcept nogil:
    queue = insert(queue, length, card)
    if target >= 0:
        queue = expel(g, queue, mark_at(target))
    return queue


cdef inline uint64_t skunk(Game* g, uint64_t queue, int length, uint8_t card) noexcept nogil:
    cdef unsigned int others = species_present(queue) & ~(1 << SKUNK)
    cdef uint64_t victims = 0
    cdef int strongest, i
    for i in range(2):
        if others:
            strongest = 63 - leading_zeros(others)
            victims |= marks_of_species(queue, strongest)
            others ^= 1 << strongest
    return expel(g, insert(queue, length, card), victims)


# --- A turn -----------------------------------------------------------------------------------


cdef inline uint64_t act(Game* g, uint64_t queue, uint8_t card, int species,
                         int param) noexcept nogil:
    """The played card enters the queue and carries out the action of a species."""
    cdef int length = g.queue_len
    g.queue_len += 1
    if species == SKUNK:
        return skunk(g, queue, length, card)
    elif species == PARROT:
        return parrot(g, queue, length, card, param)
    elif species == KANGAROO:
        return insert(queue, length - param, card)
    elif species == MONKEY:
        return monkey(g, queue, length, card)
    elif species == SEAL:
        return reversed_line(insert(queue, length, card), length + 1)
    elif species == GIRAFFE:
        return giraffe(insert(queue, length, card), length, GIRAFFE)
    elif species == SNAKE:
        return snake(queue, length, card, SNAKE)
    elif species == CROCODILE:
        return crocodile(g, insert(queue, length, card), length, CROCODILE)
    elif species == HIPPO:
        return hippo(insert(queue, length, card), length, HIPPO)
    elif species == LION:
        return lion(g, queue, card)
    return insert(queue, length, card)      # zebra, and a chameleon with nothing to copy


cdef inline uint64_t recurring(uint64_t queue, uint8_t played) noexcept nogil:
    """Marks of the hippos, crocodiles and giraffes; not of the card just played."""
    return (marks_of_species(queue, GIRAFFE) | marks_of_species(queue, CROCODILE)
            | marks_of_species(queue, HIPPO)) & ~marks_of_card(queue, played)


cdef inline uint64_t act_again(Game* g, uint64_t queue, uint8_t card) noexcept nogil:
    """One recurring action. `card` is in the queue."""
    cdef int position = first_marked(marks_of_card(queue, card))
    if (card & SPECIES_BITS) == HIPPO:
        return hippo(queue, position, HIPPO)
    elif (card & SPECIES_BITS) == CROCODILE:
        return crocodile(g, queue, position, CROCODILE)
    return giraffe(queue, position, GIRAFFE)


cdef inline uint64_t recur(Game* g, uint64_t queue, uint8_t played) noexcept nogil:
    """The recurring actions, the foremost first."""
    cdef uint64_t line = queue
    cdef uint64_t actors = recurring(line, played)
    while actors:
        # It is still there: a crocodile that could eat it stands behind it and acts later.
        queue = act_again(g, queue, card_at(line, first_marked(actors)))
        actors &= actors - 1
    return queue


cdef inline uint64_t open_gate(Game* g, uint64_t queue) noexcept nogil:
    """The front two of five animals enter the bar, the last one goes to THAT'S IT."""
    send_to_bar(g, card_at(queue, 0))
    send_to_bar(g, card_at(queue, 1))
    send_to_thats_it(g, card_at(queue, 4))
    g.queue_len = 2
    return queue >> 16 & 0xFFFF | EMPTY_QUEUE & ~before(2)


cdef inline void draw(Game* g, int player) noexcept nogil:
    cdef int drawn
    if g.deck_left[player]:
        g.deck_left[player] -= 1
        drawn = 1 << g.deck[player][g.deck_left[player]]
        g.hand[player] ^= drawn
        g.deck_set[player] ^= drawn


cdef inline void pass_turn(Game* g) noexcept nogil:
    """Moves on to the next player who holds a card; after the last card, to the next seat.

    The cards that are left may all lie in a deck from which nobody draws, see `game_from_row`.
    """
    cdef int player = g.to_move
    while True:
        player = player + 1 if player + 1 < g.num_players else 0
        if g.hand[player] or not g.cards_left or player == g.to_move:
            break
    g.to_move = player


cdef void play(Game* g, int action) noexcept nogil:
    cdef ActionParts parts = ACTION_PARTS[action]
    cdef int player = g.to_move
    cdef uint8_t card = player << OWNER_SHIFT | parts.played
    cdef uint64_t queue
    g.hand[player] ^= 1 << parts.played
    queue = act(g, pack(g.queue), card, parts.acts_as, parts.param)
    queue = recur(g, queue, card)
    if g.queue_len == QUEUE_LIMIT:
        queue = open_gate(g, queue)
    unpack(queue, g.queue)
    draw(g, player)
    g.turn += 1
    g.cards_left -= 1
    pass_turn(g)


cdef inline int record(const Game* g, uint64_t queue, uint8_t card, TurnStep* step) noexcept nogil:
    step.card = card
    step.queue_len = g.queue_len
    step.num_departed = g.num_departed
    unpack(queue, step.queue)
    return 1


cdef int open_steps(Game* g, int action, TurnStep* steps) noexcept nogil:
    cdef ActionParts parts = ACTION_PARTS[action]
    cdef uint8_t card = g.to_move << OWNER_SHIFT | parts.played
    cdef uint64_t line, actors, queue
    cdef int count
    queue = act(g, pack(g.queue), card, parts.acts_as, parts.param)
    count = record(g, queue, card, &steps[0])
    line = queue
    actors = recurring(line, card)
    while actors:
        card = card_at(line, first_marked(actors))
        queue = act_again(g, queue, card)
        count += record(g, queue, card, &steps[count])
        actors &= actors - 1
    if g.queue_len == QUEUE_LIMIT:
        queue = open_gate(g, queue)
        count += record(g, queue, EMPTY, &steps[count])
    return count


# --- Legal actions and their uniform choice -----------------------------------------------------


cdef uint64_t legal_mask(const Game* g) noexcept nogil:
    cdef unsigned int hand = g.hand[g.to_move]
    cdef int length = g.queue_len
    cdef unsigned int copied
    cdef uint64_t legal = PLAYS[length][hand & (LOW_SPECIES - 1)] | hand >> ZEBRA << PLAY_ZEBRA
    if hand >> CHAMELEON & 1:
        copied = species_present(pack(g.queue)) & ~(1 << CHAMELEON)
        legal |= COPIES[length][copied & (LOW_SPECIES - 1)]
        legal |= <uint64_t>(copied >> ZEBRA) << (COPY_PLAIN + PLAY_ZEBRA)
        legal |= <uint64_t>(copied == 0) << COPY_NOTHING
    return legal


cdef int select_bit(uint64_t mask, uint64_t* rng) noexcept nogil:
    # Broadword selection (Vigna, 2008): counts of set bits up to each byte, then the byte that
    # holds the n-th, then a table within that byte.
    cdef uint64_t counts = mask - (mask >> 1 & <uint64_t>0x5555555555555555)
    cdef uint64_t n, reached
    cdef int start
    counts = (counts & <uint64_t>0x3333333333333333) + (counts >> 2 & <uint64_t>0x3333333333333333)
    counts = (counts + (counts >> 4) & <uint64_t>0x0F0F0F0F0F0F0F0F) * EVERY_BYTE
    n = random_below(rng, <uint32_t>(counts >> 56))
    reached = ((n * EVERY_BYTE | MARKS) - counts) & MARKS     # bytes with at most n bits up to them
    start = <int>((reached >> 7) * EVERY_BYTE >> 56) * 8
    n -= (counts << 8) >> start & 0xFF
    return start + NTH_BIT[n][mask >> start & 0xFF]


cdef int select_random_action_nogil(Game* g) noexcept nogil:
    return select_bit(legal_mask(g), &g.rng)


# --- Deal and result --------------------------------------------------------------------------


cdef void deal(Game* g, uint64_t seed, int first_player, int num_players) noexcept nogil:
    cdef uint8_t[NUM_SPECIES] cards
    cdef uint8_t swapped
    cdef int player, i, j
    memset(g, 0, sizeof(Game))
    # The seed is scrambled, because streams of neighbouring seeds would overlap.
    g.rng = seed
    g.rng = next_random(&g.rng)
    g.num_players = num_players
    g.to_move = first_player
    g.cards_left = NUM_SPECIES * num_players
    unpack(EMPTY_QUEUE, g.queue)
    for player in range(num_players):
        for i in range(NUM_SPECIES):
            cards[i] = i
        for i in range(NUM_SPECIES - 1, 0, -1):
            j = random_below(&g.rng, i + 1)
            swapped = cards[i]
            cards[i] = cards[j]
            cards[j] = swapped
        memcpy(g.deck[player], cards, DECK_SIZE)
        g.deck_left[player] = DECK_SIZE
        for i in range(DECK_SIZE):
            g.deck_set[player] |= 1 << cards[i]
        g.hand[player] = ALL_SPECIES ^ g.deck_set[player]


cdef int margin(const Game* g, int player, int scoring) noexcept nogil:
    cdef int own = g.bar[player]
    cdef int other = g.bar[1 - player]
    if scoring == SCORING_POINTS:
        return points_sum(own) - points_sum(other)
    return popcount(own) - popcount(other)


cdef int outcome(const Game* g, int player, int scoring) noexcept nogil:
    cdef int difference = margin(g, player, scoring)
    if difference == 0 and scoring == SCORING_ANIMALS:
        # A tie goes to the lower total strength.
        difference = strength_sum(g.bar[1 - player]) - strength_sum(g.bar[player])
    return (difference > 0) - (difference < 0)
