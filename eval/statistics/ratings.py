"""Elo ratings from wins, draws and losses, by maximum likelihood.

The model is Davidson's (Journal of the American Statistical Association 65, 1970, 317-328), which
adds draws to Bradley and Terry's. Players have strengths s > 0, and nu >= 0 says how often they
draw:

    P(i beats j) = s_i / (s_i + s_j + nu sqrt(s_i s_j))
    P(i and j draw) = nu sqrt(s_i s_j) / (s_i + s_j + nu sqrt(s_i s_j))

Elo is 400 log10 s, so 400 more mean ten wins for each loss. The likelihood is that of a multinomial
logit, concave in (log s, log nu). Standard errors come from its curvature at the maximum.

Without a prior, a player who wins every game has no finite rating. So each player is given half a
win and half a loss more, spread evenly over those it met. Between two players that is Jeffreys'
prior; next to thousands of games it is negligible.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from scipy.special import logsumexp, ndtr

from bb_jax.errors import EvaluationError

ELO = 400 / math.log(10)
PRIOR = 0.5
_TOLERANCE = 1e-12
# Below this eigenvalue a parameter is on its way to infinity: its standard error is above 100,000.
_LEAST_INFORMATION = 1e-6


class HeadToHead(Protocol):
    """What two players achieved against each other, such as `eval.matches.match.MatchResult`."""

    @property
    def player(self) -> str: ...
    @property
    def opponent(self) -> str: ...
    @property
    def wins(self) -> int: ...
    @property
    def draws(self) -> int: ...
    @property
    def losses(self) -> int: ...


@dataclass(frozen=True)
class Counts:
    """The games between two players, counted from the first one's side."""

    player: str
    opponent: str
    wins: int
    draws: int
    losses: int


@dataclass(frozen=True)
class Ratings:
    """The ratings of N players and their uncertainty.

    Attributes:
      players: N names, in order of appearance.
      elo: the ratings, float64 [N].
      covariance: the ratings' covariance in Elo squared, float64 [N, N]; 0 for anchors.
      anchors: ratings that were given and not estimated.
      draw_parameter: nu.
      dispersion: Pearson's chi-squared of the results over its degrees of freedom; None if there
        are none. Near 1 the results are as the ratings predict. Far above 1 some players do better
        against some opponents than one number can say, and the errors do not cover that.
    """

    players: tuple[str, ...]
    elo: np.ndarray = field(repr=False)
    covariance: np.ndarray = field(repr=False)
    anchors: Mapping[str, float]
    draw_parameter: float
    dispersion: float | None

    def rating(self, player: str) -> float:
        """The Elo of a player."""
        return float(self.elo[self.players.index(player)])

    def standard_error(self, player: str) -> float:
        """The standard error of a player's Elo, relative to the anchors."""
        index = self.players.index(player)
        return math.sqrt(self.covariance[index, index])

    def difference(self, player: str, other: str) -> tuple[float, float]:
        """Elo of `player` minus that of `other`, and its standard error."""
        i, j = self.players.index(player), self.players.index(other)
        covariance = self.covariance
        variance = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
        return float(self.elo[i] - self.elo[j]), math.sqrt(max(0.0, variance))

    def superiority(self, player: str, other: str) -> float:
        """The likelihood that `player` is the stronger one, by the normal approximation."""
        mean, error = self.difference(player, other)
        if error == 0:
            return 0.5 + 0.5 * float(np.sign(mean))
        return float(ndtr(mean / error))

    def expected(self, player: str, other: str) -> tuple[float, float, float]:
        """The probabilities of a win, a draw and a loss that the model gives `player`."""
        half = self.difference(player, other)[0] / ELO / 2
        weights = np.array([math.exp(half), self.draw_parameter, math.exp(-half)])
        win, draw, loss = weights / weights.sum()
        return float(win), float(draw), float(loss)

    def ranking(self) -> list[str]:
        """The players, the strongest first."""
        return [self.players[index] for index in np.argsort(-self.elo, kind="stable")]

    def as_json(self) -> dict[str, Any]:
        """JSON-able values, the strongest player first."""
        ranking = self.ranking()
        return {
            "model": "Davidson 1970",
            "anchors": dict(self.anchors),
            "draw_parameter": self.draw_parameter,
            "dispersion": self.dispersion,
            "players": [
                {"player": p, "elo": {"rating": self.rating(p), "error": self.standard_error(p)}}
                for p in ranking
            ],
            "likelihood_of_superiority": [
                [None if p == q else self.superiority(p, q) for q in ranking] for p in ranking
            ],
        }


def fit_ratings(
    results: Sequence[HeadToHead], anchors: Mapping[str, float], *, prior: float = PRIOR
) -> Ratings:
    """The ratings that make the results most likely.

    Args:
      results: results between any players, assumed independent; those of the same pair are added
        up.
      anchors: the Elo of players whose rating is given. At least one of them must have played;
        those who have not are left out.
      prior: wins and losses that are added to each player, spread over those it met. 0 is plain
        maximum likelihood.

    Raises:
      EvaluationError: no anchor has played, nothing connects some players with an anchor, or
        (without a prior) there is no finite maximum.
    """
    pairs = _add_up(results)
    players = tuple(dict.fromkeys(name for pair in pairs for name in pair))
    given = {name: float(anchors[name]) for name in players if name in anchors}
    if not given:
        raise EvaluationError(
            f"ratings need an anchor that has played: none of {', '.join(anchors) or 'no one'} has"
        )
    _check_connected(players, list(pairs), given)
    free = [name for name in players if name not in given]
    counts = np.array(list(pairs.values()), np.float64)
    with_draws = bool(counts[:, 1].any())
    weighted = counts + _virtual(list(pairs), free, prior)

    # The logits of win, draw and loss of pair p are design[p] @ parameters + offset[p].
    size = len(free) + with_draws
    design, offset = np.zeros((len(pairs), 3, size)), np.zeros((len(pairs), 3))
    for p, pair in enumerate(pairs):
        for side, name in enumerate(pair):
            share = np.array([1 - side, 0.5, side])
            if name in given:
                offset[p] += share * given[name] / ELO
            else:
                design[p, :, free.index(name)] += share
    if with_draws:
        design[:, 1, -1] = 1
    else:
        offset[:, 1] = -np.inf
    parameters, information = _maximise(weighted, design, offset)

    elo = np.array([given.get(name, 0.0) for name in players])
    covariance = np.zeros((len(players), len(players)))
    rows = [players.index(name) for name in free]
    elo[rows] = parameters[: len(free)] * ELO
    inverse = np.linalg.inv(information)[: len(free), : len(free)]
    covariance[np.ix_(rows, rows)] = inverse * ELO**2
    draw_parameter = math.exp(parameters[-1]) if with_draws else 0.0
    freedom = len(pairs) * (1 + with_draws) - size
    dispersion = _chi_squared(counts, design, offset, parameters) / freedom if freedom > 0 else None
    return Ratings(players, elo, covariance, given, draw_parameter, dispersion)


def _add_up(results: Sequence[HeadToHead]) -> dict[tuple[str, str], list[int]]:
    """Wins, draws and losses by pair, each pair in the order in which it appears first."""
    pairs: dict[tuple[str, str], list[int]] = {}
    for result in results:
        pair, counts = (result.player, result.opponent), [result.wins, result.draws, result.losses]
        if pair[0] == pair[1]:
            continue
        if pair[::-1] in pairs:
            pair, counts = pair[::-1], counts[::-1]
        before = pairs.get(pair, [0, 0, 0])
        pairs[pair] = [a + b for a, b in zip(before, counts, strict=True)]
    return {pair: counts for pair, counts in pairs.items() if sum(counts)}


def _check_connected(
    players: Sequence[str], pairs: Sequence[tuple[str, str]], given: Mapping[str, float]
) -> None:
    """Raises EvaluationError if nothing connects some players with an anchor; it names them."""
    reached, grown = set(given), True
    while grown:
        more = {name for pair in pairs if reached & set(pair) for name in pair} - reached
        reached |= more
        grown = bool(more)
    lost = [name for name in players if name not in reached]
    if lost:
        raise EvaluationError(
            f"no ratings: nothing connects {', '.join(lost)} with {', '.join(given)}"
        )


def _virtual(pairs: Sequence[tuple[str, str]], free: Sequence[str], prior: float) -> np.ndarray:
    """What the prior adds to the wins, draws and losses of each pair, float64 [P, 3]."""
    met = {name: sum(name in pair for pair in pairs) for name in free}
    most = [max(met.get(name, 0) for name in pair) for pair in pairs]
    added = [prior / number if number else 0.0 for number in most]
    return np.array(added)[:, None] * np.array([1.0, 0.0, 1.0])


def _log_probabilities(
    design: np.ndarray, offset: np.ndarray, parameters: np.ndarray
) -> np.ndarray:
    """The log-probabilities of win, draw and loss, float64 [P, 3]."""
    logits = design @ parameters + offset
    return logits - logsumexp(logits, axis=1, keepdims=True)


def _chi_squared(
    counts: np.ndarray, design: np.ndarray, offset: np.ndarray, parameters: np.ndarray
) -> float:
    """Pearson's statistic of observed counts [P, 3] against those that the parameters predict."""
    probabilities = np.exp(_log_probabilities(design, offset, parameters))
    expected = counts.sum(axis=1, keepdims=True) * probabilities
    possible = expected > 0
    return float((((counts - expected) ** 2)[possible] / expected[possible]).sum())


def _maximise(
    counts: np.ndarray, design: np.ndarray, offset: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The maximum of a concave log-likelihood.

    K denotes parameters, P pairs.

    Args:
      counts: float64 [P, 3] of win, draw, loss.
      design, offset: float64 [P, 3, K] and [P, 3]; the logits are design @ parameters + offset.

    Returns:
      The parameters [K] and the observed information [K, K] there.

    Raises:
      EvaluationError: the likelihood has no finite maximum.
    """
    games = counts.sum(axis=1)
    size = design.shape[2]
    if not size:
        return np.zeros(0), np.zeros((0, 0))

    def loss(parameters: np.ndarray) -> float:
        logs = np.where(counts > 0, _log_probabilities(design, offset, parameters), 0.0)
        return -float((counts * logs).sum())

    def gradient(parameters: np.ndarray) -> np.ndarray:
        probabilities = np.exp(_log_probabilities(design, offset, parameters))
        surplus = games[:, None] * probabilities - counts
        return np.einsum("pc,pck->k", surplus, design)

    def information(parameters: np.ndarray) -> np.ndarray:
        probabilities = np.exp(_log_probabilities(design, offset, parameters))
        centred = design - np.einsum("pc,pck->pk", probabilities, design)[:, None, :]
        weights = games[:, None] * probabilities
        return np.einsum("pc,pck,pcl->kl", weights, centred, centred)

    start = np.zeros(size)
    # Imported here: it takes a tenth of the start of every command, and few make a fit.
    from scipy.optimize import minimize, root

    fit = minimize(loss, start, method="trust-exact", jac=gradient, hess=information)
    # Near the maximum the likelihood drowns in rounding, and the gradient does not.
    fit = root(gradient, fit.x, jac=information, tol=_TOLERANCE)
    found = information(fit.x)
    if np.linalg.eigvalsh(found).min() < _LEAST_INFORMATION:
        raise EvaluationError(
            "no finite ratings: somebody won or lost every game, and there is no prior"
        )
    return fit.x, found
