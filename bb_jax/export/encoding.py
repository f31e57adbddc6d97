"""The features of `bb_jax.features` as nodes of a graph, computed from the rows themselves.

`B` denotes rows, `C` the width of a context, `F` that of all features. Every result is float32. The
columns and sets are those of `bb_jax.features`; bytes are whole numbers that float32 holds exactly.
"""

from typing import NamedTuple

import numpy as np

from bb_jax import features
from bb_jax.export.graph import Graph
from bb_jax.features import Column
from bb_sim.rules.engine import HAND_SIZE, NUM_ACTIONS, NUM_SPECIES, QUEUE_SIZE
from bb_sim.rules.observation import HAND_BYTE, LEGAL_BYTE, OBSERVATION_SIZE

_LAST_AXIS = [-1]


class Encoding(NamedTuple):
    """Names of the encoded rows.

    Attributes:
      queue: [B, 96], one-hot codes of the four places of the queue.
      context: [B, C - 37], one-hot codes of margins and turn.
      bits: [B, 37], the sets of cards and whether the observer moves.
      hand: [B, 12], the observer's hand as a set.
      legal: [B, 33], the legal actions.
    """

    queue: str
    context: str
    bits: str
    hand: str
    legal: str


def encode(graph: Graph, rows: str, scoring: str) -> Encoding:
    """Adds the encoding of rows: uint8 [B, 19].

    Args:
      graph: what it is added to.
      rows: the name of the rows.
      scoring: "points" or "animals".
    """
    held = graph.float(rows)
    sets = [_bits(graph, held, byte, NUM_SPECIES) for byte in features.SET_BYTES]
    legal = _bits(graph, held, LEGAL_BYTE, NUM_ACTIONS)
    legal_bytes = graph.add(
        "Gather", held, graph.constant("legal_bytes", range(LEGAL_BYTE, OBSERVATION_SIZE)), axis=1
    )
    moves = graph.add(
        "Min",
        graph.add("ReduceMax", legal_bytes, axes=_LAST_AXIS, keepdims=1),
        graph.constant("one", 1.0),
    )
    return Encoding(
        queue=_one_hot(graph, held, features.queue_columns()),
        context=_one_hot(graph, held, features.context_columns(scoring)),
        bits=graph.add("Concat", *sets, moves, axis=1),
        hand=sets[features.SET_BYTES.index(HAND_BYTE)],
        legal=legal,
    )


def flat_features(graph: Graph, encoding: Encoding) -> str:
    """Adds `bb_jax.features.flat_features`: [B, F]."""
    return graph.add("Concat", encoding.queue, encoding.context, encoding.bits, axis=1)


def context(graph: Graph, encoding: Encoding) -> str:
    """Adds `bb_jax.features.context`: [B, C]."""
    return graph.add("Concat", encoding.bits, encoding.context, axis=1)


def queue_one_hot(graph: Graph, encoding: Encoding) -> str:
    """Adds `bb_jax.features.queue_one_hot`: [B, 4, 24]."""
    shape = graph.constant("queue_shape", [0, QUEUE_SIZE, 2 * NUM_SPECIES])
    return graph.add("Reshape", encoding.queue, shape)


def hand_one_hot(graph: Graph, encoding: Encoding) -> str:
    """Adds `bb_jax.features.hand_one_hot`: [B, 4, 12], the weakest card first."""
    weaker = graph.constant("weaker", np.tri(NUM_SPECIES, k=-1).T)
    rank = graph.add("MatMul", encoding.hand, weaker)
    axis = graph.constant("places_axis", [1])
    places = graph.constant("places", np.arange(HAND_SIZE, dtype=np.float32)[None, :, None])
    there = graph.float(graph.add("Equal", graph.add("Unsqueeze", rank, axis), places))
    return graph.add("Mul", there, graph.add("Unsqueeze", encoding.hand, axis))


def _bits(graph: Graph, held: str, byte: int, count: int) -> str:
    """The lowest bits of the little-endian bytes from one byte of the rows on: [B, count]."""
    places = np.arange(count)
    halved = graph.add(
        "Mul",
        graph.add("Gather", held, graph.constant("bytes", byte + places // 8), axis=1),
        graph.constant("halves", 0.5 ** (places % 8)),
    )
    two = graph.constant("two", 2.0)
    return graph.add("Mod", graph.add("Floor", halved), two, fmod=1)


def _one_hot(graph: Graph, held: str, columns: list[Column]) -> str:
    """The concatenated one-hot codes of columns: [B, sum of sizes]."""
    sizes = [column.size for column in columns]
    codes = [column.first + value for column in columns for value in range(column.size)]
    places = np.repeat([column.byte for column in columns], sizes)
    values = graph.add("Gather", held, graph.constant("columns", places), axis=1)
    if any(column.clipped for column in columns):
        lowest = np.repeat([c.first if c.clipped else 0 for c in columns], sizes)
        highest = np.repeat([c.first + c.size - 1 if c.clipped else 255 for c in columns], sizes)
        values = graph.add("Max", values, graph.constant("lowest", lowest.astype(np.float32)))
        values = graph.add("Min", values, graph.constant("highest", highest.astype(np.float32)))
    return graph.float(
        graph.add("Equal", values, graph.constant("codes", np.asarray(codes, np.float32)))
    )
