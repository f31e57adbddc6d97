"""What is read from a compiled program: its loops, kernels, products and costs."""

import pytest

from benchmarks import gpu
from benchmarks.compiled import Compiled, Costs
from benchmarks.gpu_cards import CARDS
from benchmarks.gpu_compile import parse_target, roofline_seconds
from benchmarks.programs import PROGRAMS, programs
from train.config import load_config

# Two epochs of steps; a step searches in three rounds, multiplies and exchanges its gradient.
PROGRAM = """HloModule jit_update, is_scheduled=true

%square (p.1: f32[8,8]) -> f32[8,8] {
  %p.1 = f32[8,8]{1,0} parameter(0)
  ROOT %multiply.1 = f32[8,8]{1,0} multiply(%p.1, %p.1)
}

%product (p.2: bf16[8,4], p.3: bf16[4,8]) -> f32[8,8] {
  %p.2 = bf16[8,4]{1,0} parameter(0)
  %p.3 = bf16[4,8]{1,0} parameter(1)
  ROOT %dot.1 = f32[8,8]{1,0} dot(%p.2, %p.3), lhs_contracting_dims={1}, rhs_contracting_dims={0}, \
metadata={op_name="jit(update)/Network/torso/dense_0/dot_general"}
}

%add (p.4: f32[], p.5: f32[]) -> f32[] {
  %p.4 = f32[] parameter(0)
  %p.5 = f32[] parameter(1)
  ROOT %add.1 = f32[] add(%p.4, %p.5)
}

%below (p.6: (s32[])) -> pred[] {
  %p.6 = (s32[]) parameter(0)
  %i.1 = s32[] get-tuple-element(%p.6), index=0
  %limit = s32[] constant(3)
  ROOT %compare.1 = pred[] compare(%i.1, %limit), direction=LT
}

%search (p.7: (s32[])) -> (s32[]) {
  %p.7 = (s32[]) parameter(0)
  %i.2 = s32[] get-tuple-element(%p.7), index=0
  %copy.1 = s32[] copy(%i.2)
  ROOT %tuple.1 = (s32[]) tuple(%copy.1)
}

%below.1 (p.8: (s32[], bf16[8,4], bf16[4,8], f32[8,8])) -> pred[] {
  %p.8 = (s32[], bf16[8,4], bf16[4,8], f32[8,8]) parameter(0)
  %i.3 = s32[] get-tuple-element(%p.8), index=0
  %limit.1 = s32[] constant(2)
  ROOT %compare.2 = pred[] compare(%i.3, %limit.1), direction=LT
}

%step (p.9: (s32[], bf16[8,4], bf16[4,8], f32[8,8])) -> (s32[], bf16[8,4], bf16[4,8], f32[8,8]) {
  %p.9 = (s32[], bf16[8,4], bf16[4,8], f32[8,8]) parameter(0)
  %i.4 = s32[] get-tuple-element(%p.9), index=0
  %left = bf16[8,4]{1,0} get-tuple-element(%p.9), index=1
  %right = bf16[4,8]{1,0} get-tuple-element(%p.9), index=2
  %start = (s32[]) tuple(%i.4)
  %while.1 = (s32[]) while(%start), condition=%below, body=%search, \
backend_config={"known_trip_count":{"n":"3"}}
  %i.5 = s32[] get-tuple-element(%while.1), index=0
  %fusion.1 = f32[8,8]{1,0} fusion(%left, %right), kind=kCustom, calls=%product
  %begun = f32[8,8]{1,0} all-reduce-start(%fusion.1), replica_groups={}, to_apply=%add
  %gradient = f32[8,8]{1,0} all-reduce-done(%begun)
  %fusion.2 = f32[8,8]{1,0} fusion(%gradient), kind=kLoop, calls=%square, \
metadata={op_name="jit(update)/while/body/take_step/mul"}
  ROOT %tuple.2 = (s32[], bf16[8,4], bf16[4,8], f32[8,8]) tuple(%i.5, %left, %right, %fusion.2)
}

ENTRY %main (a: bf16[8,4], b: bf16[4,8], c: f32[8,8]) -> f32[8,8] {
  %a = bf16[8,4]{1,0} parameter(0)
  %b = bf16[4,8]{1,0} parameter(1)
  %c = f32[8,8]{1,0} parameter(2)
  %zero = s32[] constant(0)
  %fusion.3 = f32[8,8]{1,0} fusion(%c), kind=kLoop, calls=%square
  %start.1 = (s32[], bf16[8,4], bf16[4,8], f32[8,8]) tuple(%zero, %a, %b, %fusion.3)
  %while.2 = (s32[], bf16[8,4], bf16[4,8], f32[8,8]) while(%start.1), condition=%below.1, body=%step
  ROOT %result = f32[8,8]{1,0} get-tuple-element(%while.2), index=3
}
"""


def test_loops_and_kernels():
    program = Compiled(PROGRAM)
    assert program.main.kernels == 1
    step = program.step
    assert step is not None
    (search,) = step.loops
    assert step.computation == "step"
    # The product, the exchange and the optimizer; then three rounds and four questions.
    assert (step.kernels, step.collectives, step.trips) == (3, 1, None)
    assert (search.kernels, search.condition_kernels, search.trips) == (1, 1, 3)
    assert step.launches(unknown_trips=1) == 3 + 3 * 1 + 4 * 1
    assert step.exchanges(unknown_trips=1) == 1
    # A loop with a known number of rounds asks nobody; that over the steps does.
    assert step.host_decisions(unknown_trips=2) == 0
    assert program.main.host_decisions(unknown_trips=2) == 3
    assert program.main.launches(unknown_trips=2) == 1 + 2 * 10 + 3 * 1


def test_products_and_their_types():
    (product,) = Compiled(PROGRAM).products
    assert product.dtype == "bf16"
    assert product.flops == 2 * 8 * 8 * 4
    assert "dense_0" in product.scope


def test_products_of_libraries_count_too():
    call = """custom-call(%left, %right), custom_call_target="__cublas$lt$matmul", \
backend_config={"gemm_backend_config":{"dot_dimension_numbers":\
{"lhs_contracting_dimensions":["1"],"rhs_contracting_dimensions":["0"]}}}"""
    fused = "fusion(%left, %right), kind=kCustom, calls=%product"
    own, library = Compiled(PROGRAM), Compiled(PROGRAM.replace(fused, call))
    (product,) = (one for one in library.products if not one.scope)
    assert (product.dtype, product.flops) == ("bf16", 2 * 8 * 8 * 4)
    assert own.step is not None
    assert library.step is not None
    assert library.step.kernels == own.step.kernels
    assert library.costs(library.step).flops == own.costs(own.step).flops


def test_costs_are_those_of_a_body():
    program = Compiled(PROGRAM)
    assert program.step is not None
    whole, step, search = map(program.costs, (program.main, program.step, program.step.loops[0]))
    # The product, and the squares of the optimizer and before the loop.
    assert step.flops >= 2 * 8 * 8 * 4 + 64
    assert whole.flops >= step.flops + 64
    assert search.flops < 10
    assert step.bytes >= 2 * (32 + 32) + 4 * 64


def test_what_talks_to_the_host_is_found():
    assert Compiled(PROGRAM).host_calls == []
    call = '%call = () custom-call(%gradient), custom_call_target="xla_ffi_python_gpu_callback"'
    text = PROGRAM.replace("  %fusion.2 =", f"  {call}\n  %fusion.2 =")
    assert Compiled(text).host_calls == ["xla_ffi_python_gpu_callback"]


def test_the_roofline_follows_what_is_scarce():
    card = CARDS["h100"]
    assert roofline_seconds(Costs(989e12, 0), card) == pytest.approx(1)
    assert roofline_seconds(Costs(0, card.bandwidth), card) == pytest.approx(1)


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_a_card_is_described_once_and_whole(card):
    text = card.target_config()
    assert text.count("{") == text.count("}")
    assert f"device_memory_size: {card.memory}" in text
    assert f"core_count: {card.multiprocessors}\n" in text


def test_targets():
    assert parse_target("h100").devices == (1,)
    assert parse_target("l4,1,8").devices == (1, 8)
    assert parse_target("l4,1,8").card.name == "NVIDIA L4"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--compile-only", "h99,8"), "there is no card 'h99'"),
        (("--compile-only", "h100,many"), "numbers of devices, not 'many'"),
        (("--compile-only", "h100", "--programs", "sleep"), "there is no program 'sleep'"),
        (("--compile-only", "h100", "--set", "games=7"), "games"),
    ],
)
def test_what_it_does_not_know_is_refused(capsys, options, said):
    assert gpu.main(["--config", "configs/quickstart.yaml", *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_the_programs_are_those_of_training_and_compile_here_too():
    import jax

    overrides = [
        "games_per_iteration=32", "num_groups=1", "games_per_group=32", "buffer_size=600",
        "network_config.hidden_layers=[8]", "expert_config.minibatch_size=64",
        "ppo_config.minibatch_size=64",
    ]  # fmt: skip
    config = load_config("configs/quickstart.yaml", overrides)
    found = programs(config, jax.local_devices()[:1], "cpu")
    assert tuple(found) == PROGRAMS
    weights = 198 * 8 + 9 * 33 + 9 * 2
    for name, program in found.items():
        sizes = [leaf.size for leaf in jax.tree.leaves(program.arguments[0])]
        # Parameters alone, or with both of Adam's moments and two counts.
        assert sum(sizes) == (3 * weights + 2 if "update" in name else weights)
    assert "HloModule" in found["inference"].compile().as_text()
