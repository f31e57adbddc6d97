"""Expectimax to the end of a game without hidden cards, against a belief about the opponent.

The viewer maximises the expectation of

    outcome (+1, -1, or the reward of a draw) + margin_weight * margin.

The opponent is one of the named opponents or plays the best reply. The viewer's belief about which
one it is follows Bayes' rule along every line of play. The viewer sees the position after a turn,
so actions that lead to the same position count as one reply.

The best reply is a fixed policy too: it draws uniformly among the actions with the lowest minimax
value. A position therefore has its minimax value if the belief in the best reply is 1, and at
least that value for any other belief. If the belief names one model, it has the value of the best
response to that model.

A model whose weight falls below 1e-4 is dropped. A reply less probable than 1e-6 is left out.
"""

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memset

from bb_sim.opponents.models cimport probabilities_of_scores, score_turn_for
from bb_sim.opponents.turn_score cimport NUM_OPPONENTS, RANDOM
from bb_sim.rules.bits cimport popcount, trailing_zeros
from bb_sim.rules.engine cimport (
    NUM_ACTIONS, Game, action_parts, is_decided, legal_mask, play,
)
from bb_sim.search.objective cimport Objective, final_margin, final_outcome, final_value

cdef extern from *:
    """
    #define BB_NEGLIGIBLE_WEIGHT 1e-4
    #define BB_NEGLIGIBLE_REPLY 1e-6
    #define BB_EQUAL_VALUES 1e-9
    """
    const double NEGLIGIBLE_WEIGHT "BB_NEGLIGIBLE_WEIGHT"
    const double NEGLIGIBLE_REPLY "BB_NEGLIGIBLE_REPLY"
    const double EQUAL_VALUES "BB_EQUAL_VALUES"

cdef enum:
    NAMED = (1 << NUM_OPPONENTS) - 1
    ONLY_BEST_REPLY = 1 << BEST_REPLY


# --- Positions ----------------------------------------------------------------------------------


cdef inline bint same_position(const Game* one, const Game* two) noexcept nogil:
    """Whether two positions after a turn are equal. Both come from the same position."""
    return (memcmp(one.queue, two.queue, sizeof(one.queue)) == 0
            and memcmp(one.hand, two.hand, sizeof(one.hand)) == 0
            and memcmp(one.bar, two.bar, sizeof(one.bar)) == 0)


cdef void find_replies(const Game* g, uint64_t legal, Replies* replies) noexcept nogil:
    cdef int action, i
    replies.number = 0
    while legal:
        action = trailing_zeros(legal)
        legal &= legal - 1
        replies.games[replies.number] = g[0]
        play(&replies.games[replies.number], action)
        i = 0
        while not same_position(&replies.games[i], &replies.games[replies.number]):
            i += 1
        if i == replies.number:
            replies.actions[i] = 0
            replies.number += 1
        replies.actions[i] |= <uint64_t>1 << action


# --- The search ---------------------------------------------------------------------------------


cdef double minimax(const Game* g, const Objective* o, double low, double high) noexcept nogil:
    """The minimax value if it is between `low` and `high`, else a bound on the same side."""
    cdef Replies replies
    cdef double best, value
    cdef int i
    if is_decided(g):
        return final_value(g, o)
    find_replies(g, legal_mask(g), &replies)
    if g.to_move == o.viewer:
        best = -INFINITY
        for i in range(replies.number):
            best = max(best, minimax(&replies.games[i], o, max(low, best), high))
            if best >= high:
                break
    else:
        best = INFINITY
        for i in range(replies.number):
            best = min(best, minimax(&replies.games[i], o, low, min(high, best)))
            if best <= low:
                break
    return best


cdef double value_of(const Game* g, const Objective* o, const Belief* belief) noexcept nogil:
    cdef Replies replies
    cdef double best = -INFINITY
    cdef int i
    if is_decided(g):
        return final_value(g, o)
    if belief.models == ONLY_BEST_REPLY:
        return minimax(g, o, -INFINITY, INFINITY)
    find_replies(g, legal_mask(g), &replies)
    if g.to_move != o.viewer:
        return expected_value(g, o, belief, &replies)
    for i in range(replies.number):
        best = max(best, value_of(&replies.games[i], o, belief))
    return best


cdef double expected_value(const Game* g, const Objective* o, const Belief* belief,
                           const Replies* replies) noexcept nogil:
    """The value before the opponent's turn."""
    cdef double[NUM_MODELS][MOST_REPLIES] chances     # probability of each reply
    cdef double[MOST_REPLIES] worst                    # minimax value of each reply
    cdef double chance, value
    cdef double total = 0.0
    cdef double expectation = 0.0
    cdef Belief later
    cdef int i
    if replies.number == 1:
        return value_of(&replies.games[0], o, belief)
    chances_of_named(g, replies, belief.models & NAMED, chances)
    if belief.models >> BEST_REPLY:
        chances_of_best_reply(o, replies, worst, chances[BEST_REPLY])
    for i in range(replies.number):
        chance = learn(belief, chances, i, &later)
        if chance < NEGLIGIBLE_REPLY:
            continue
        if later.models == ONLY_BEST_REPLY:
            value = worst[i]
        else:
            value = value_of(&replies.games[i], o, &later)
        expectation += chance * value
        total += chance
    return expectation / total


cdef uint64_t score_replies(const Game* g, const Replies* replies, unsigned int opponents,
                            double* scores) noexcept nogil:
    """Writes scores[opponent * NUM_ACTIONS + action]; returns the actions of all replies."""
    cdef unsigned int scoring = opponents & ~(1 << RANDOM)
    cdef uint64_t legal = 0
    cdef uint64_t actions
    cdef int i
    for i in range(replies.number):
        legal |= replies.actions[i]
        actions = replies.actions[i]
        while actions and scoring:
            score_turn_for(g, &replies.games[i], trailing_zeros(actions), scoring, scores)
            actions &= actions - 1
    return legal


cdef void chances_of_named(const Game* g, const Replies* replies, unsigned int opponents,
                           double[MOST_REPLIES]* chances) noexcept nogil:
    cdef double[NUM_OPPONENTS * NUM_ACTIONS] scores
    cdef double[NUM_ACTIONS] probabilities
    cdef uint64_t legal = score_replies(g, replies, opponents, scores)
    cdef uint64_t actions
    cdef int i, opponent
    while opponents:
        opponent = trailing_zeros(opponents)
        opponents &= opponents - 1
        probabilities_of_scores(opponent, legal, &scores[opponent * NUM_ACTIONS], probabilities)
        for i in range(replies.number):
            actions = replies.actions[i]
            chances[opponent][i] = 0.0
            while actions:
                chances[opponent][i] += probabilities[trailing_zeros(actions)]
                actions &= actions - 1


cdef void chances_of_best_reply(const Objective* o, const Replies* replies, double* values,
                                double* chances) noexcept nogil:
    cdef double best = INFINITY
    cdef int number = 0
    cdef int i
    for i in range(replies.number):
        # Exact if it is at most the best so far, so exact for all replies that tie in the end.
        values[i] = minimax(&replies.games[i], o, -INFINITY, best + 2 * EQUAL_VALUES)
        best = min(best, values[i])
    for i in range(replies.number):
        number += popcount(replies.actions[i]) * (values[i] <= best + EQUAL_VALUES)
    for i in range(replies.number):
        chances[i] = 0.0
        if values[i] <= best + EQUAL_VALUES:
            chances[i] = <double>popcount(replies.actions[i]) / number


# --- Prospects ----------------------------------------------------------------------------------


cdef inline Prospect final_prospect(const Game* g, const Objective* o) noexcept nogil:
    cdef int outcome = final_outcome(g, o)
    return Prospect(final_value(g, o), outcome > 0, outcome == 0, final_margin(g, o))


cdef inline void add_prospect(Prospect* sum, double chance, Prospect prospect) noexcept nogil:
    sum.value += chance * prospect.value
    sum.win += chance * prospect.win
    sum.draw += chance * prospect.draw
    sum.margin += chance * prospect.margin


cdef inline Prospect scaled(Prospect prospect, double factor) noexcept nogil:
    return Prospect(prospect.value * factor, prospect.win * factor, prospect.draw * factor,
                    prospect.margin * factor)


cdef Prospect prospect_of(const Game* g, const Objective* o, const Belief* belief,
                          bint in_parts) noexcept nogil:
    cdef double[NUM_MODELS][MOST_REPLIES] chances
    cdef double[MOST_REPLIES] worst
    cdef Prospect prospect = Prospect(0.0, 0.0, 0.0, 0.0)
    cdef Replies replies
    cdef Belief later
    cdef double best = -INFINITY
    cdef double total = 0.0
    cdef double chance, value
    cdef int choice = 0
    cdef int i
    if not in_parts:
        return Prospect(value_of(g, o, belief), 0.0, 0.0, 0.0)
    if is_decided(g):
        return final_prospect(g, o)
    find_replies(g, legal_mask(g), &replies)
    if replies.number == 1:
        return prospect_of(&replies.games[0], o, belief, True)
    if g.to_move == o.viewer:
        for i in range(replies.number):
            value = value_of(&replies.games[i], o, belief)
            if value > best:
                best = value
                choice = i
        return prospect_of(&replies.games[choice], o, belief, True)
    chances_of_named(g, &replies, belief.models & NAMED, chances)
    if belief.models >> BEST_REPLY:
        chances_of_best_reply(o, &replies, worst, chances[BEST_REPLY])
    for i in range(replies.number):
        chance = learn(belief, chances, i, &later)
        if chance < NEGLIGIBLE_REPLY:
            continue
        add_prospect(&prospect, chance, prospect_of(&replies.games[i], o, &later, True))
        total += chance
    return scaled(prospect, 1 / total)


# --- One hidden card ----------------------------------------------------------------------------


cdef Prospect prospect_before_last_draw(const Game* g, const Objective* o,
                                        const HandBelief* belief, bint in_parts) noexcept nogil:
    cdef double[NUM_MODELS][MOST_REPLIES] joint
    cdef Prospect prospect = Prospect(0.0, 0.0, 0.0, 0.0)
    cdef Replies replies
    cdef Belief later
    cdef double chance
    cdef double total = 0.0
    cdef int i
    if is_decided(g):
        return final_prospect(g, o)
    find_replies(g, legal_mask(g), &replies)
    weigh_replies(g, o, belief, &replies, joint)
    for i in range(replies.number):
        chance = belief_after(joint, i, &later)
        if chance < NEGLIGIBLE_REPLY:
            continue
        # The card that was hidden is drawn now, so the unseen cards are the hand.
        add_prospect(&prospect, chance, prospect_of(&replies.games[i], o, &later, in_parts))
        total += chance
    return scaled(prospect, 1 / total)


cdef void weigh_replies(const Game* g, const Objective* o, const HandBelief* belief,
                        const Replies* replies, double[MOST_REPLIES]* joint) noexcept nogil:
    """Writes joint[model][reply], the weight of each model that makes each reply."""
    cdef double[NUM_OPPONENTS * NUM_ACTIONS] scores
    cdef double[MOST_REPLIES] worst                 # minimax value of each reply
    cdef unsigned int models = 0
    cdef int i, hand, model
    for hand in range(belief.number):
        for model in range(NUM_MODELS):
            models |= (belief.weights[hand][model] > 0) << model
    score_replies(g, replies, models & NAMED, scores)
    if models >> BEST_REPLY:
        for i in range(replies.number):
            worst[i] = minimax(&replies.games[i], o, -INFINITY, INFINITY)
    memset(joint, 0, NUM_MODELS * sizeof(joint[0]))
    for hand in range(belief.number):
        add_replies(replies, belief.hands[hand], belief.weights[hand], scores, worst, joint)


cdef double belief_after(double[MOST_REPLIES]* joint, int reply,
                         Belief* later) noexcept nogil:
    """Writes the belief after a reply; returns the reply's probability."""
    cdef double chance = 0.0
    cdef int model
    for model in range(NUM_MODELS):
        later.weights[model] = joint[model][reply]
        chance += joint[model][reply]
    if chance >= NEGLIGIBLE_REPLY:
        keep_what_matters((1 << NUM_MODELS) - 1, chance, later)
    return chance


cdef void add_replies(const Replies* replies, unsigned int hand, const double* weights,
                      const double* scores, const double* worst,
                      double[MOST_REPLIES]* joint) noexcept nogil:
    """Adds the weights of the replies of one hand to joint[model][reply]."""
    cdef double[NUM_ACTIONS] probabilities
    cdef uint64_t legal = 0
    cdef uint64_t actions
    cdef double best = INFINITY
    cdef int number = 0
    cdef int model, i
    for i in range(replies.number):
        if is_played_by(hand, replies.actions[i]):
            legal |= replies.actions[i]
    for model in range(NUM_OPPONENTS):
        if weights[model] == 0:
            continue
        probabilities_of_scores(model, legal, &scores[model * NUM_ACTIONS], probabilities)
        for i in range(replies.number):
            actions = replies.actions[i] & legal
            while actions:
                joint[model][i] += weights[model] * probabilities[trailing_zeros(actions)]
                actions &= actions - 1
    if weights[BEST_REPLY] == 0:
        return
    for i in range(replies.number):
        if replies.actions[i] & legal:
            best = min(best, worst[i])
    for i in range(replies.number):
        if replies.actions[i] & legal and worst[i] <= best + EQUAL_VALUES:
            number += popcount(replies.actions[i])
    for i in range(replies.number):
        if replies.actions[i] & legal and worst[i] <= best + EQUAL_VALUES:
            joint[BEST_REPLY][i] += weights[BEST_REPLY] * popcount(replies.actions[i]) / number


cdef inline bint is_played_by(unsigned int hand, uint64_t actions) noexcept nogil:
    """Whether a hand holds the species that the actions play; those of a reply play the same."""
    return hand >> action_parts(trailing_zeros(actions)).played & 1


# --- Belief -------------------------------------------------------------------------------------


cdef double learn(const Belief* belief, double[MOST_REPLIES]* chances, int reply,
                  Belief* later) noexcept nogil:
    """Writes the belief after a reply by Bayes' rule; returns the probability of the reply."""
    cdef unsigned int models = belief.models
    cdef double chance = 0.0
    cdef int model
    while models:
        model = trailing_zeros(models)
        models &= models - 1
        later.weights[model] = belief.weights[model] * chances[model][reply]
        chance += later.weights[model]
    keep_what_matters(belief.models, chance, later)
    return chance


cdef void keep_what_matters(unsigned int models, double total, Belief* belief) noexcept nogil:
    """Drops models of negligible weight and scales the rest to a sum of 1.

    `total` is the sum of all weights.
    """
    cdef unsigned int left = models
    cdef double kept = 0.0
    cdef int model
    belief.models = 0
    while left:
        model = trailing_zeros(left)
        left &= left - 1
        if belief.weights[model] > NEGLIGIBLE_WEIGHT * total:
            belief.models |= 1 << model
            kept += belief.weights[model]
    left = belief.models
    while left:
        belief.weights[trailing_zeros(left)] /= kept
        left &= left - 1


cdef void take_belief(const double* weights, Belief* belief) noexcept nogil:
    cdef double total = 0.0
    cdef int model
    for model in range(NUM_MODELS):
        belief.weights[model] = weights[model]
        total += weights[model]
    keep_what_matters((1 << NUM_MODELS) - 1, total, belief)
