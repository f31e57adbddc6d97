"""Configurations of networks and of the two learning algorithms. No JAX: reading one is quick."""

from typing import Literal, Self, get_args

from pydantic import Field, PositiveInt, model_validator

from bb_jax.strict_model import MAY_CHANGE, Sequence, StrictModel

Device = Literal["auto", "cpu", "cuda", "gpu"]
DEVICES: tuple[Device, ...] = get_args(Device)


class NetworkConfig(StrictModel):
    """The architecture of a policy and value network."""

    kind: Literal["transformer", "mlp"] = Field(
        "transformer",
        description="Tokens for cards (`transformer`), or dense layers over one-hot features "
        "(`mlp`).",
    )
    hidden_dim: int = Field(
        256, ge=1, description="Width of a transformer token, a multiple of `num_heads`."
    )
    num_heads: int = Field(8, ge=1, description="Attention heads in a transformer layer.")
    num_layers: int = Field(4, ge=1, description="Number of transformer layers.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Probability that learning drops a unit.")
    species_embedding_dim: int = Field(
        64, ge=1, description="Width of a species' embedding before it is projected to a token."
    )
    hidden_layers: Sequence[PositiveInt] = Field(
        (256, 64), min_length=1, description="Widths of the dense layers of an mlp."
    )
    second_tower: Sequence[PositiveInt] = Field(
        (),
        description="Widths of a second stack of dense layers of an mlp. It reads the same "
        "features as `hidden_layers`, and the heads read both stacks. An empty list means no "
        "second stack.",
    )
    afterstates: bool = Field(
        False,
        description="Whether the policy scores the afterstate of each action, the state that the "
        "action leads to. Otherwise it computes logits from the state before the action.",
    )
    separate_policy: bool = Field(
        False, description="Whether the policy has layers of its own, apart from the value's."
    )
    # The parameters are the same ones, so a run may move from a GPU to a CPU and back.
    compute_dtype: Literal["float32", "bfloat16", "auto"] = Field(
        "auto",
        description="Type of the activations. `auto` is bfloat16 on a GPU and float32 elsewhere. "
        "Parameters, logits and values are always float32.",
        json_schema_extra=MAY_CHANGE,
    )

    @model_validator(mode="after")
    def _check_architecture(self) -> Self:
        if self.hidden_dim % self.num_heads:
            raise ValueError(
                f"hidden_dim must be a multiple of num_heads ({self.num_heads}), "
                f"not {self.hidden_dim}"
            )
        if self.second_tower and self.kind != "mlp":
            raise ValueError(
                f"second_tower must be empty unless the kind is mlp, not {list(self.second_tower)}"
            )
        return self


class PPOConfig(StrictModel):
    """The coefficients of proximal policy optimisation."""

    # The update takes the learning rate and the entropy coefficient from `bb_jax.Hyper`, which
    # schedules may change; these are the values without a schedule.
    learning_rate: float = Field(
        1e-4, ge=0, description="Step size of Adam.", json_schema_extra=MAY_CHANGE
    )
    clip_epsilon: float = Field(
        0.2, gt=0, description="The policy ratio is clipped to 1 ± this number."
    )
    value_coef: float = Field(0.5, ge=0, description="Weight of the value loss.")
    entropy_coef: float = Field(
        0.04, ge=0, description="Weight of the entropy bonus where `entropy_schedule` is `none`."
    )
    gamma: float = Field(0.99, ge=0, le=1, description="Discount for each decision of a player.")
    gae_lambda: float = Field(
        0.95, ge=0, le=1, description="Lambda of generalised advantage estimation."
    )
    value_lambda: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Lambda of the returns that are the targets of the values. `null` takes "
        "`gae_lambda`.",
    )
    ppo_epochs: int = Field(4, ge=1, description="Passes over the positions of an iteration.")
    learn_fraction: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the positions with a choice that train the policy: those whose "
        "advantages are the largest in size.",
    )
    value_fraction: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the other positions that train the values, drawn anew for each pass. "
        "Each stands for all that were not drawn. With 0, the values learn where the policy does.",
    )
    minibatch_size: int = Field(
        2048, ge=1, description="Positions in one gradient step, over all devices together."
    )
    max_grad_norm: float = Field(
        0.5,
        gt=0,
        description="Gradients with a larger global norm are scaled down to it.",
        json_schema_extra=MAY_CHANGE,
    )
    normalize_advantages: bool = Field(
        True, description="Whether the advantages of an iteration are scaled to mean 0, variance 1."
    )
    clip_value: bool = Field(
        True, description="Whether the change of a value is clipped to `clip_epsilon`, too."
    )
    target_kl: float | None = Field(
        0.02,
        gt=0,
        description="An update stops once the new policy diverges from the proximal policy by "
        "more than this. `null` never stops it.",
        json_schema_extra=MAY_CHANGE,
    )
    max_behaviour_weight: float = Field(
        2.0,
        ge=1,
        description="Upper limit of the importance weight that corrects for games played by an "
        "older policy.",
    )
    kl_coef: float = Field(
        0.0,
        ge=0,
        description="Weight of the divergence from the policy that played the games, estimated "
        "from the actions that it played.",
    )

    @property
    def learns_from_all(self) -> bool:
        """Whether every pass of an update goes over all positions."""
        return self.learn_fraction == self.value_fraction == 1


class ExpertConfig(StrictModel):
    """The coefficients of expert iteration."""

    search: str = Field(
        "samples=0",
        description="Search that chooses the moves, written as for `--search` of the evaluation. "
        "`samples=0` plays by the values of afterstates; more samples search deeper.",
    )
    teacher: str | None = Field(
        None,
        description="Policy whose network plays the games: `RUN`, `RUN@STEP` or a policy file. "
        "`null` is the network that learns.",
    )
    td_lambda: float = Field(
        0.85, ge=0, le=1, description="Weight of longer returns in the targets of the values."
    )
    policy_temperature: float = Field(
        0.05,
        gt=0,
        description="Temperature of the softmax over the expert's objectives, the policy's target.",
    )
    policy_coef: float = Field(0.3, ge=0, description="Weight of the policy's cross entropy.")
    value_coef: float = Field(1.0, ge=0, description="Weight of the values' squared errors.")
    ranking_coef: float = Field(
        0.0,
        ge=0,
        description="Weight of the cross entropy of a second policy, the softmax over the values "
        "of all afterstates at `policy_temperature`. With 0, only afterstates that were played "
        "are learned from.",
    )
    learning_rate: float = Field(
        1e-3, ge=0, description="Step size of Adam.", json_schema_extra=MAY_CHANGE
    )
    reuse: float = Field(
        2.0, gt=0, description="Number of gradient steps that use a position, on average."
    )
    minibatch_size: int = Field(
        2048, ge=1, description="Positions in one gradient step, over all devices together."
    )
    max_grad_norm: float = Field(
        1.0,
        gt=0,
        description="Gradients with a larger global norm are scaled down to it.",
        json_schema_extra=MAY_CHANGE,
    )
