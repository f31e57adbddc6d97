"""The scores that the named opponents give a turn.

Scores are in double precision: single precision would break ties differently where a term is a
third. A card is "mine" or "theirs" by its owner. `before` and `after` are the states around the
whole turn.
"""

from libc.stdint cimport uint64_t

from bb_sim.rules.bits cimport leading_zeros, popcount
from bb_sim.rules.engine cimport (
    ALL_SPECIES, CHAMELEON, CROCODILE, GIRAFFE, HIPPO, KANGAROO, LION, MONKEY, NUM_SPECIES,
    OWNER_SHIFT, PARROT, QUEUE_LIMIT, QUEUE_SIZE, SEAL, SKUNK, SNAKE, SPECIES_BITS, ZEBRA, Game,
    points_sum,
)

cdef enum:
    CARD_CODES = 32             # the number of codes of two players' cards, with EMPTY
    HIPPO_OR_CROCODILE = 1 << HIPPO | 1 << CROCODILE
    RECURRING = HIPPO_OR_CROCODILE | 1 << GIRAFFE
    THREATS = RECURRING | 1 << LION | 1 << ZEBRA
    EARLY_CARDS = 3             # the early game has at most so many cards played
    LATE_CARDS = 8              # the late game has at least so many
    LATE_SPECIES = 1 << PARROT | 1 << SKUNK | 1 << CROCODILE

ctypedef struct Material:       # weights of the material score
    double bar
    double thats_it
    double hand
    double skunk                            # species weight of the skunk; the others have 1
    double place[QUEUE_LIMIT][QUEUE_SIZE]     # [queue length][index]
    double value[2][CARD_CODES]                 # [me][card code]: weighted points, theirs negative

ctypedef struct Outcome:        # weights of the outcome score
    double my_gain
    double their_gain
    double my_loss
    double their_loss
    double queue_change
    double at_the_front
    double threat_removed
    double parrot
    double skunk
    double combo
    double early
    double late


# --- Tables -------------------------------------------------------------------------------------

cdef Material MATERIAL[NUM_OPPONENTS]       # used for the opponents that score material
# Weights in the order of the fields of Outcome.
cdef Outcome HAND_TUNED = Outcome(3.0, -2.0, -2.5, 2.0, 1.5, 2.0, 1.5, 0.4, 0.5, 15.0, 0.5, 0.3)
cdef Outcome DISTILLED = Outcome(4.2, -2.5, -3.5, 2.8, 1.8, 2.5, 2.2, 0.6, 0.7, 18.0, 0.6, 0.4)
# Weights of the outcome score by queue index. A fifth weight, 0.10, would never be used.
cdef double[QUEUE_SIZE] QUEUE_VALUE = [0.53, 0.37, 0.25, 0.27]
cdef double QUEUE_VALUE_OF[2][CARD_CODES]   # [me][card code]: points, or -0.6 times theirs


cdef void define_material(int opponent, double bar, double front, double skunk) noexcept:
    cdef Material* m = &MATERIAL[opponent]
    cdef double back = 0.3
    cdef double f, points
    cdef int length, index, me, owner, species
    m.bar, m.thats_it, m.hand, m.skunk = bar, -0.5, 0.1, skunk
    for length in range(1, QUEUE_LIMIT):
        for index in range(length):
            f = 1.0 - <double>index / length
            m.place[length][index] = front * f + back * (1.0 - f)
    for me in range(2):
        for owner in range(2):
            for species in range(NUM_SPECIES):
                points = weighted_points(1 << species, m)
                m.value[me][owner << OWNER_SHIFT | species] = points if owner == me else -points


cdef void fill_tables() noexcept:
    cdef int opponent, me, owner, species
    for opponent in range(NUM_OPPONENTS):
        define_material(opponent, 2.0, 1.1, 1.0)        # bar, front, species weight of the skunk
    define_material(AGGRESSIVE, 3.0, 1.1, 1.0)
    define_material(DEFENSIVE, 1.0, 1.1, 1.0)
    define_material(QUEUE, 2.0, 2.0, 1.0)
    define_material(SKUNK_LOVER, 2.0, 1.1, 2.0)
    for me in range(2):
        for owner in range(2):
            for species in range(NUM_SPECIES):
                QUEUE_VALUE_OF[me][owner << OWNER_SHIFT | species] = (
                    points_sum(1 << species) * (1.0 if owner == me else -0.6))


fill_tables()


# --- What a turn changed ------------------------------------------------------------------------


cdef inline unsigned int in_queue(const Game* g, int player) noexcept nogil:
    """The set of a player's species in the queue."""
    cdef uint64_t cards = (<uint64_t>1 << g.queue[0] | <uint64_t>1 << g.queue[1]
                           | <uint64_t>1 << g.queue[2] | <uint64_t>1 << g.queue[3])
    return cards >> (player << OWNER_SHIFT) & ALL_SPECIES


cdef inline int gained(const Turn* t, int player) noexcept nogil:
    """A player's points newly in the bar."""
    return points_sum(t.after.bar[player] ^ t.before.bar[player])


cdef inline int lost(const Turn* t, int player) noexcept nogil:
    """A player's points newly on THAT'S IT; 0 means no card, as every card has points."""
    return points_sum(t.after.thats_it[player] ^ t.before.thats_it[player])


cdef inline int place_of_mine(const Turn* t, int species) noexcept nogil:
    """The index of my animal of a species in the queue after, if it is 0 or 1; else 2."""
    cdef int card = t.me << OWNER_SHIFT | species
    return 0 if t.after.queue[0] == card else 1 if t.after.queue[1] == card else 2


cdef inline int target_of(const Turn* t) noexcept nogil:
    """The card of the parrot's target."""
    return t.before.queue[t.action.param]


cdef inline int points_of(int card) noexcept nogil:
    return points_sum(1 << (card & SPECIES_BITS))


cdef inline double nearness(const Turn* t) noexcept nogil:
    """1 if the parrot's target is at the gate, down to 1 / L at the end of L animals."""
    return 1.0 - <double>t.action.param / t.before.queue_len


# --- Material score -----------------------------------------------------------------------------


cdef inline double weighted_points(unsigned int species, const Material* m) noexcept nogil:
    """The points of a set of species, each times its species weight."""
    return points_sum(species) + (m.skunk - 1.0) * points_sum(species & 1 << SKUNK)


cdef inline double material_score(const Game* g, int me, const Material* m) noexcept nogil:
    cdef int them = 1 - me
    cdef const double* place = m.place[g.queue_len]
    cdef const double* value = m.value[me]
    cdef double score = m.bar * (weighted_points(g.bar[me], m) - weighted_points(g.bar[them], m))
    # Empty places have the value 0.
    score += (place[0] * value[g.queue[0]] + place[1] * value[g.queue[1]]
              + place[2] * value[g.queue[2]] + place[3] * value[g.queue[3]])
    score += m.thats_it * (weighted_points(g.thats_it[me], m)
                           - weighted_points(g.thats_it[them], m))
    return score + m.hand * weighted_points(g.hand[me], m)


# --- Species bonuses of `heuristic` and its variants --------------------------------------------


cdef inline double skunk_bonus(const Turn* t) noexcept nogil:
    cdef int theirs = lost(t, t.them)
    if theirs >= 5:
        return 3.0
    if theirs >= 3:
        return 1.5
    return -2.0 if theirs == 0 and lost(t, t.me) > 0 else 0.0


cdef inline double parrot_bonus(const Turn* t) noexcept nogil:
    if t.action.param < 0:
        return 0.0
    cdef int target = target_of(t)
    return (0.5 if target >> OWNER_SHIFT == t.them else -0.5) * points_of(target)


cdef inline double lion_bonus(const Turn* t) noexcept nogil:
    return 2.0 if place_of_mine(t, LION) == 0 else 0.0


cdef inline double monkey_bonus(const Turn* t) noexcept nogil:
    return 2.5 if lost(t, t.them) >= 4 else 0.0


cdef inline double seal_bonus(const Turn* t) noexcept nogil:
    cdef int difference = gained(t, t.me) - gained(t, t.them)
    return 1.5 if difference > 0 else -1.0 if difference < 0 else 0.0


cdef inline double snake_bonus(const Turn* t) noexcept nogil:
    cdef double bonus = 0.0
    cdef int i
    if popcount(in_queue(t.after, t.me)) > popcount(in_queue(t.before, t.me)):
        for i in range(min(2, t.after.queue_len)):
            if t.after.queue[i] >> OWNER_SHIFT == t.me:
                bonus += 0.5 * points_of(t.after.queue[i])
    return bonus


cdef inline double zebra_bonus(const Turn* t) noexcept nogil:
    return 1.5 if in_queue(t.after, t.them) & HIPPO_OR_CROCODILE else -0.5


cdef inline double kangaroo_bonus(const Turn* t) noexcept nogil:
    return 1.0 if place_of_mine(t, KANGAROO) <= 1 else 0.0


cdef inline double giraffe_bonus(const Turn* t) noexcept nogil:
    cdef int place = place_of_mine(t, GIRAFFE)
    return 1.5 if place == 0 else 0.5 if place == 1 else 0.0


cdef inline double crocodile_bonus(const Turn* t) noexcept nogil:
    return 0.3 * lost(t, t.them)


cdef inline double chameleon_bonus(const Turn* t) noexcept nogil:
    cdef int strength = t.action.acts_as + 1
    return 0.1 * strength if t.action.acts_as != CHAMELEON else 0.0


cdef inline double species_bonus(const Turn* t) noexcept nogil:
    cdef int species = t.action.played
    if species == SKUNK:
        return skunk_bonus(t)
    elif species == PARROT:
        return parrot_bonus(t)
    elif species == LION:
        return lion_bonus(t)
    elif species == MONKEY:
        return monkey_bonus(t)
    elif species == SEAL:
        return seal_bonus(t)
    elif species == SNAKE:
        return snake_bonus(t)
    elif species == ZEBRA:
        return zebra_bonus(t)
    elif species == KANGAROO:
        return kangaroo_bonus(t)
    elif species == GIRAFFE:
        return giraffe_bonus(t)
    elif species == CROCODILE:
        return crocodile_bonus(t)
    elif species == CHAMELEON:
        return chameleon_bonus(t)
    return 0.0


# --- Reactive bonuses of `online` ---------------------------------------------------------------


cdef inline bint opponent_has_played(const Turn* t, int species) noexcept nogil:
    cdef const Game* g = t.before
    return (in_queue(g, t.them) | g.bar[t.them] | g.thats_it[t.them]) >> species & 1


cdef inline unsigned int strongest_of(unsigned int species) noexcept nogil:
    """The strongest species of a set that is not empty, as a set of one."""
    return 1 << (63 - leading_zeros(species))


cdef inline double reactive_crocodile(const Turn* t) noexcept nogil:
    if (in_queue(t.before, t.me) | in_queue(t.before, t.them)) >> CHAMELEON & 1:
        return 5.0
    return 0.0 if opponent_has_played(t, CHAMELEON) else -1.0


cdef inline double reactive_skunk(const Turn* t) noexcept nogil:
    cdef unsigned int mine = in_queue(t.before, t.me)
    cdef unsigned int theirs = in_queue(t.before, t.them)
    cdef unsigned int kinds = (mine | theirs) & ~(1 << SKUNK)
    cdef unsigned int two_strongest
    cdef int net
    if popcount(kinds) < 2:
        return -1.5
    two_strongest = strongest_of(kinds)
    two_strongest |= strongest_of(kinds ^ two_strongest)
    net = points_sum(theirs & two_strongest) - points_sum(mine & two_strongest)
    return 4.0 if net >= 4 else 2.0 if net >= 2 else -3.0 if net <= -2 else 0.0


cdef inline double reactive_lion(const Turn* t) noexcept nogil:
    if in_queue(t.before, t.them) >> LION & 1:
        return -5.0
    return 3.0 if opponent_has_played(t, LION) else -2.0


cdef inline double reactive_parrot(const Turn* t) noexcept nogil:
    if t.action.param < 0:
        return 0.0
    cdef int target = target_of(t)
    if target >> OWNER_SHIFT == t.me:
        return -0.5 * points_of(target)
    return 0.3 * points_of(target) + 2.0 * nearness(t)


cdef inline double reactive_bonus(const Turn* t) noexcept nogil:
    cdef int species = t.action.played
    if species == CROCODILE:
        return reactive_crocodile(t)
    elif species == SKUNK:
        return reactive_skunk(t)
    elif species == LION:
        return reactive_lion(t)
    elif species == PARROT:
        return reactive_parrot(t)
    return 0.0


# --- Outcome score ------------------------------------------------------------------------------


cdef inline double queue_value(const Game* g, int me) noexcept nogil:
    cdef const double* value = QUEUE_VALUE_OF[me]
    return (QUEUE_VALUE[0] * value[g.queue[0]] + QUEUE_VALUE[1] * value[g.queue[1]]
            + QUEUE_VALUE[2] * value[g.queue[2]] + QUEUE_VALUE[3] * value[g.queue[3]])


cdef inline int threats_removed(const Turn* t) noexcept nogil:
    cdef int removed = (popcount(in_queue(t.before, t.them) & THREATS)
                        - popcount(in_queue(t.after, t.them) & THREATS))
    return removed if removed > 0 else 0


cdef inline bint mine_at_the_front(const Turn* t) noexcept nogil:
    """Whether one of the first two animals in the queue after is mine."""
    cdef const Game* g = t.after
    return ((g.queue_len > 0 and g.queue[0] >> OWNER_SHIFT == t.me)
            or (g.queue_len > 1 and g.queue[1] >> OWNER_SHIFT == t.me))


cdef inline double outcome_parrot(const Turn* t, const Outcome* w) noexcept nogil:
    if t.action.param < 0:
        return 0.0
    cdef int target = target_of(t)
    cdef int species = 1 << (target & SPECIES_BITS)
    if target >> OWNER_SHIFT == t.me:
        return -0.8 * points_of(target)
    return (w.parrot * points_of(target) + (1.5 if species & THREATS else 0.0)
            + (1.0 if species & RECURRING else 0.0) + 0.5 * nearness(t))


cdef inline double outcome_skunk(const Turn* t, const Outcome* w) noexcept nogil:
    return w.skunk * (lost(t, t.them) - lost(t, t.me))


cdef inline double outcome_monkey(const Turn* t, const Outcome* w) noexcept nogil:
    cdef unsigned int theirs = in_queue(t.before, t.them)
    cdef double bonus = 0.0
    if (popcount(in_queue(t.after, t.them) & HIPPO_OR_CROCODILE)
            < popcount(theirs & HIPPO_OR_CROCODILE)):
        bonus += w.combo
    if theirs >> MONKEY & 1:
        bonus += 0.8 * w.combo
    return bonus


cdef inline double phase_bonus(const Turn* t, const Outcome* w) noexcept nogil:
    """The bonus for playing certain animals early or late in the game."""
    cdef int cards_played = t.before.queue_len + t.before.num_departed
    cdef int species = 1 << t.action.played
    if cards_played <= EARLY_CARDS:
        return w.early if species & RECURRING else 0.0
    return w.late if cards_played >= LATE_CARDS and species & LATE_SPECIES else 0.0


cdef inline double outcome_score(const Turn* t, const Outcome* w) noexcept nogil:
    cdef int species = t.action.played
    cdef double score = w.my_gain * gained(t, t.me) + w.their_gain * gained(t, t.them)
    score += w.my_loss * lost(t, t.me) + w.their_loss * lost(t, t.them)
    score += w.queue_change * (queue_value(t.after, t.me) - queue_value(t.before, t.me))
    score += w.at_the_front * mine_at_the_front(t) + w.threat_removed * threats_removed(t)
    if species == PARROT:
        score += outcome_parrot(t, w)
    elif species == SKUNK:
        score += outcome_skunk(t, w)
    elif species == MONKEY:
        score += outcome_monkey(t, w)
    return score + phase_bonus(t, w)


# --- The score of a turn ------------------------------------------------------------------------


cdef double score_turn(const Turn* t, int opponent) noexcept nogil:
    if opponent == RANDOM:
        return 0.0
    if opponent == OUTCOME_HEURISTIC:
        return outcome_score(t, &HAND_TUNED)
    if opponent == DISTILLED_OUTCOME:
        return outcome_score(t, &DISTILLED)
    cdef double score = material_score(t.after, t.me, &MATERIAL[opponent])
    return score + (reactive_bonus(t) if opponent == ONLINE else species_bonus(t))
