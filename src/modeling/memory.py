"""How much memory a training takes on each device, before it starts. No torch: plans use it.

Against measured peaks of float32 trainings on a CPU (tiny, 2,048 and 16,384 tokens a pass; small, 8,192; SmolLM2-135M,
1,024): see experiments/performance/training.md.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from src.modeling.recipe import Recipe
from src.modeling.shape import Shape
from src.modeling.trainer import Trainer

STANDING = 0.65e9
"""torch, Lightning and transformers in a process; a CUDA context is about as large."""

TRAINED_BYTES = 16
"""Of a trained weight in float32: itself, its gradient, Adam's two moments."""

ADAPTER_WEIGHTS = 7 * 2
"""What LoRA adds to a layer for each unit of rank and width: a row and a column beside each of seven matrices."""

FLOAT32_ON_A_CPU = 21
"""Bytes that a layer keeps for each unit of width where bfloat16 is computed on a CPU: its stream, and what attention
reads and gives, stay in float32 there."""

MOMENTS = 8
"""Bytes of Adam's two moments of a number."""

READ_AFTER_A_NORM = ({"q_proj", "k_proj", "v_proj"}, {"gate_proj", "up_proj"})
"""Layers that read the same tensor."""

RESPONSE_LOGITS = 1 << 22
"""Logits that influence's loss holds at once, 16 MiB in float32."""

WHOLE_LOGITS = 1 << 24
"""Logits (trained tokens x vocabulary) that are held at once, 64 MiB in float32; more are computed in chunks, but not
by a compiled model."""


def training_bytes(shape: Shape, tokens: int, recipe: Recipe, trainer: Trainer) -> float:
    """The peak on one device. tokens: in one forward pass of it."""
    number = 2 if recipe.precision == "bf16" else 4
    shards = trainer.devices * trainer.nodes if trainer.strategy == "fsdp" else 1
    weights = _weights(shape, recipe, number, trainer.offload, shards)
    # Of a sharded model two layers are whole at a time, the one at work and the next; embedding and head stay whole.
    gathered = (2 * shape.layer_parameters + shape.outer_parameters) * number if shards > 1 else 0
    # Autocast keeps a lowered copy of every weight until the step's way back has ended.
    copies = shape.parameters * number if number == 2 and shards == 1 and recipe.lora is None else 0
    kept = tokens * _kept_of_a_token(shape, trainer, number)
    at_once = math.inf if trainer.compile else WHOLE_LOGITS
    return STANDING + weights + gathered + copies + kept + _loss(shape, tokens, at_once)


def writing_bytes(shape: Shape, devices: int) -> float:
    """The least that an engine needs on one device: its part of the weights, as published ones come, in 16 bits. What
    is left of the card holds keys and values of the texts being written."""
    return STANDING + 2 * shape.parameters / devices


def gradient_bytes(
    shape: Shape, tokens: int, precision: str, trainer: Trainer, tracked: Collection[str], rank: int | None = None
) -> float:
    """The peak of per-sample gradients on one device: frozen weights, activations, Adam's moments of what is tracked.
    tracked: names of `linear_layers`. rank: of the adapters that are tracked in their place."""
    number = 2 if precision == "bf16" else 4
    each = [a * b if rank is None else rank * (a + b) for a, b in map(linear_layers(shape).__getitem__, tracked)]
    of_each = MOMENTS if rank is None else MOMENTS + 4  # adapters are in float32
    weights = shape.parameters * number + shape.layers * sum(each) * of_each
    kept = tokens * _kept_of_a_frozen_token(shape, trainer, number, tracked)
    gate = tokens * number * 3 * shape.experts_used * shape.intermediate  # its gradients, while what it keeps is there
    return STANDING + weights + kept + gate + _loss(shape, tokens, RESPONSE_LOGITS)


def linear_layers(shape: Shape) -> dict[str, tuple[int, int]]:
    """What a Transformer layer's linear layers read and give, in numbers of a token. Of a mixture the experts are none
    of them."""
    query, feed_forward = shape.query or shape.hidden, shape.intermediate
    attention = {
        "self_attn.q_proj": (shape.hidden, query),
        "self_attn.k_proj": (shape.hidden, shape.kv),
        "self_attn.v_proj": (shape.hidden, shape.kv),
        "self_attn.o_proj": (query, shape.hidden),
    }
    dense = {
        "mlp.gate_proj": (shape.hidden, feed_forward),
        "mlp.up_proj": (shape.hidden, feed_forward),
        "mlp.down_proj": (feed_forward, shape.hidden),
    }
    return attention if shape.experts > 1 else attention | dense


def _weights(shape: Shape, recipe: Recipe, number: int, offload: bool, shards: int) -> float:
    """A frozen model lies in the type that it computes in; adapters are whole on every device. Offloaded shards wait on
    the host, with their gradients and moments."""
    adapters = shape.layers * recipe.lora.rank * shape.hidden * ADAPTER_WEIGHTS if recipe.lora else 0
    each = 0 if offload else number if recipe.lora else TRAINED_BYTES
    return shape.parameters * each / shards + adapters * TRAINED_BYTES


def _kept_of_a_token(shape: Shape, trainer: Trainer, number: int) -> float:
    """Bytes kept for the way back: of all layers; with checkpointing the stream before each, and one layer is made anew
    at a time. The last norm keeps what it read in float32, and what it made."""
    layer = _kept_by_a_layer(shape, number)
    if number == 2 and trainer.device != "cuda":
        layer += FLOAT32_ON_A_CPU * shape.hidden
    kept = shape.layers * shape.hidden * number + layer if trainer.activation_checkpointing else shape.layers * layer
    return kept + shape.hidden * (8 if shape.sandwich else 4 + number)


def _kept_by_a_layer(shape: Shape, number: int) -> float:
    """Bytes of a token: what a layer's products read and its norms and gate made. That is, of the stream's width, two
    norms' input in float32, what they made, before and after their weight, each; two of queries (and what attention
    gives), of keys and values, four of each working expert's. A mixture gathers and mixes its experts' tokens. Gemma's
    norms keep two numbers in float32 and nothing of their weight."""
    query = shape.query or shape.hidden
    kept = number * (2 * query + 2 * shape.kv + 4 * shape.experts_used * shape.intermediate)
    if shape.experts > 1:
        kept += number * 2 * shape.experts_used * shape.hidden
    if shape.sandwich:
        return kept + number * 2 * shape.hidden + 2 * 4 * (4 * shape.hidden + query + shape.kv)
    return kept + number * 8 * shape.hidden


def _kept_of_a_frozen_token(shape: Shape, trainer: Trainer, number: int, tracked: Collection[str]) -> float:
    """Bytes kept for the way back of a model without gradients of weights, but for those that are tracked."""
    layer = _kept_by_a_frozen_layer(shape, number, trainer.device == "cuda", tracked)
    kept = shape.layers * shape.hidden * number + layer if trainer.activation_checkpointing else shape.layers * layer
    return kept + shape.hidden * (4 + number)


def _kept_by_a_frozen_layer(shape: Shape, number: int, on_card: bool, tracked: Collection[str]) -> float:
    """Bytes of a token. Norms keep their input in float32, gates three numbers, and a product with a frozen weight
    nothing: only what a tracked layer reads is kept for its gradient. On a CPU attention keeps its four tensors in
    float32, keys and values once for each query head, and gives a copy."""
    query, experts = shape.query or shape.hidden, shape.experts_used
    kept = 2 * 4 * shape.hidden + number * 3 * experts * shape.intermediate
    kept += number * (2 * query + 2 * shape.kv) if on_card else 4 * 4 * query
    if shape.experts > 1:
        kept += number * experts * shape.hidden
    if shape.sandwich:
        kept += 4 * (2 * shape.hidden + query + shape.kv)
    ends = {name.rpartition(".")[2] for name in tracked}
    kept += number * shape.hidden * len([norm for norm in READ_AFTER_A_NORM if ends & norm])
    kept += number * shape.intermediate if "down_proj" in ends else 0
    return kept + (number * query if "o_proj" in ends and not on_card else 0)


def _loss(shape: Shape, tokens: int, at_once: float) -> float:
    """The logits stand three times in float32, themselves, their softmax, its gradient, so many of them at a time."""
    return 3 * 4 * min(tokens * shape.vocab, at_once)
