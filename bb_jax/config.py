"""Configuration of the networks and of PPO: plain values, checked when they are constructed.

Nothing here imports JAX, so that a configuration can be checked without starting it.
"""

import dataclasses
import math

ALGORITHMS = ("ppo", "expert_iteration")
NETWORK_KINDS = ("transformer", "mlp")
COMPUTE_DTYPES = ("float32", "bfloat16", "auto")
SCORINGS = ("points", "animals")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return (isinstance(value, float) and math.isfinite(value)) or _is_int(value)


def _check(valid: bool, key: str, expected: str, value: object) -> None:
    if not valid:
        raise ValueError(f"{key} must be {expected}, not {value!r}")


def check_scoring(scoring: str) -> None:
    """Raises ValueError unless `scoring` is one of `SCORINGS`."""
    _check(scoring in SCORINGS, "scoring", "points or animals", scoring)


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """Architecture of a policy and value network.

    Attributes:
      kind: "transformer" (tokens for cards) or "mlp" (dense layers over one-hot features).
      hidden_dim: width of a transformer token; a multiple of `num_heads`.
      num_heads: attention heads of a transformer layer.
      num_layers: transformer layers.
      dropout: probability of dropping a unit in the learning pass, in [0, 1).
      species_embedding_dim: width of a species' embedding before its projection to `hidden_dim`.
      hidden_layers: widths of the dense layers of an mlp.
      second_tower: widths of a second stack of dense layers of an mlp, beside `hidden_layers` and
        from the features on like them; the heads read both. Empty is none.
      afterstates: whether the policy is a score of each action's afterstate, the state it leads
        to, instead of logits of the state before it.
      separate_policy: whether the policy has layers of its own beside those of the values.
      compute_dtype: type of the activations; "auto" is bfloat16 on a GPU and float32 elsewhere.
        Parameters, logits and values are always float32.

    Raises:
      ValueError: on an impossible value, naming the key and the value.
    """

    kind: str = "transformer"
    hidden_dim: int = 256
    num_heads: int = 8
    num_layers: int = 4
    dropout: float = 0.1
    species_embedding_dim: int = 64
    hidden_layers: tuple[int, ...] = (256, 64)
    second_tower: tuple[int, ...] = ()
    afterstates: bool = False
    separate_policy: bool = False
    # The parameters are the same ones, so a run may move from a GPU to a CPU and back.
    compute_dtype: str = dataclasses.field(default="auto", metadata={"may_change": True})

    def __post_init__(self) -> None:
        _check(self.kind in NETWORK_KINDS, "kind", "transformer or mlp", self.kind)
        for key in ("hidden_dim", "num_heads", "num_layers", "species_embedding_dim"):
            value = getattr(self, key)
            _check(_is_int(value) and value >= 1, key, "a positive integer", value)
        _check(
            self.hidden_dim % self.num_heads == 0,
            "hidden_dim",
            f"a multiple of num_heads ({self.num_heads})",
            self.hidden_dim,
        )
        _check(
            _is_number(self.dropout) and 0 <= self.dropout < 1,
            "dropout",
            "a number from 0 up to but not including 1",
            self.dropout,
        )
        for key in ("hidden_layers", "second_tower"):
            widths = getattr(self, key)
            _check(
                isinstance(widths, (list, tuple))
                and (len(widths) > 0 or key == "second_tower")
                and all(_is_int(width) and width >= 1 for width in widths),
                key,
                "a list of positive integers",
                widths,
            )
            object.__setattr__(self, key, tuple(widths))
        _check(
            not self.second_tower or self.kind == "mlp",
            "second_tower",
            "empty unless the kind is mlp",
            self.second_tower,
        )
        for key in ("afterstates", "separate_policy"):
            value = getattr(self, key)
            _check(isinstance(value, bool), key, "true or false", value)
        _check(
            self.compute_dtype in COMPUTE_DTYPES,
            "compute_dtype",
            "float32, bfloat16 or auto",
            self.compute_dtype,
        )


@dataclasses.dataclass(frozen=True)
class ExpertConfig:
    """Coefficients of expert iteration.

    Attributes:
      search: how the games are played: "samples=0" plays by the values of afterstates, more samples
        search deeper (`--search` of the evaluation takes the same text).
      teacher: policy whose network the games are played with, `RUN`, `RUN@STEP` or a policy file;
        null is the network that learns.
      td_lambda: weight of longer returns in the targets of the values.
      policy_temperature: of the softmax over the expert's objectives that the policy is drawn to.
      policy_coef: weight of the policy's cross entropy.
      value_coef: weight of the squared errors of the values.
      ranking_coef: weight of the cross entropy of the afterstates' values, made a policy at
        `policy_temperature`; 0 spares the afterstates that were not played.
      learning_rate: step size of Adam.
      reuse: how often a position is learned from, on average.
      minibatch_size: positions of one gradient step, over all devices together.
      max_grad_norm: global norm to which gradients are clipped.

    Raises:
      ValueError: on an impossible value, naming the key and the value.
    """

    search: str = "samples=0"
    teacher: str | None = None
    td_lambda: float = 0.85
    policy_temperature: float = 0.05
    policy_coef: float = 0.3
    value_coef: float = 1.0
    ranking_coef: float = 0.0
    learning_rate: float = 1e-3
    reuse: float = 2.0
    minibatch_size: int = 2048
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        _check(isinstance(self.search, str), "search", "a text such as samples=0", self.search)
        _check(
            self.teacher is None or isinstance(self.teacher, str),
            "teacher",
            "the name of a checkpoint or null",
            self.teacher,
        )
        for key in ("policy_temperature", "reuse", "max_grad_norm"):
            value = getattr(self, key)
            _check(_is_number(value) and value > 0, key, "a number above 0", value)
        for key in ("policy_coef", "value_coef", "ranking_coef", "learning_rate"):
            value = getattr(self, key)
            _check(_is_number(value) and value >= 0, key, "a number of at least 0", value)
        _check(
            _is_number(self.td_lambda) and 0 <= self.td_lambda <= 1,
            "td_lambda",
            "a number from 0 to 1",
            self.td_lambda,
        )
        _check(
            _is_int(self.minibatch_size) and self.minibatch_size >= 1,
            "minibatch_size",
            "a positive integer",
            self.minibatch_size,
        )


@dataclasses.dataclass(frozen=True)
class PPOConfig:
    """Coefficients of proximal policy optimisation.

    `learning_rate` and `entropy_coef` are the values where no schedule is set: the update itself
    takes them from `bb_jax.Hyper`.

    Attributes:
      learning_rate: step size of Adam.
      clip_epsilon: half width of the interval around 1 to which the ratio is clipped.
      value_coef: weight of the value loss.
      entropy_coef: weight of the entropy bonus.
      gamma: discount per own decision.
      gae_lambda: lambda of generalised advantage estimation, per own decision.
      ppo_epochs: passes over the iteration's positions.
      minibatch_size: positions of one gradient step, over all devices together.
      max_grad_norm: global norm to which gradients are clipped.
      normalize_advantages: whether advantages get mean 0 and variance 1 over the iteration.
      clip_value: whether the change of a value is clipped to `clip_epsilon` as well.
      target_kl: divergence from the proximal policy above which an update stops; null never stops.
      max_behaviour_weight: where the weight of proximal over behaviour policy is truncated.

    Raises:
      ValueError: on an impossible value, naming the key and the value.
    """

    learning_rate: float = 1e-4
    clip_epsilon: float = 0.2
    value_coef: float = 0.5
    entropy_coef: float = 0.04
    gamma: float = 0.99
    gae_lambda: float = 0.95
    ppo_epochs: int = 4
    minibatch_size: int = 2048
    max_grad_norm: float = 0.5
    normalize_advantages: bool = True
    clip_value: bool = True
    target_kl: float | None = 0.02
    max_behaviour_weight: float = 2.0

    def __post_init__(self) -> None:
        for key in ("clip_epsilon", "max_grad_norm"):
            value = getattr(self, key)
            _check(_is_number(value) and value > 0, key, "a number above 0", value)
        for key in ("learning_rate", "value_coef", "entropy_coef"):
            value = getattr(self, key)
            _check(_is_number(value) and value >= 0, key, "a number of at least 0", value)
        for key in ("gamma", "gae_lambda"):
            value = getattr(self, key)
            _check(_is_number(value) and 0 <= value <= 1, key, "a number from 0 to 1", value)
        for key in ("ppo_epochs", "minibatch_size"):
            value = getattr(self, key)
            _check(_is_int(value) and value >= 1, key, "a positive integer", value)
        for key in ("normalize_advantages", "clip_value"):
            value = getattr(self, key)
            _check(isinstance(value, bool), key, "true or false", value)
        _check(
            self.target_kl is None or (_is_number(self.target_kl) and self.target_kl > 0),
            "target_kl",
            "a number above 0 or null",
            self.target_kl,
        )
        _check(
            _is_number(self.max_behaviour_weight) and self.max_behaviour_weight >= 1,
            "max_behaviour_weight",
            "a number of at least 1",
            self.max_behaviour_weight,
        )
