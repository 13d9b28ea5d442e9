"""From our `Trainer` options to Lightning's."""

from __future__ import annotations

from typing import Any

from src.core.errors import UserError
from src.modeling.recipe import Recipe
from src.modeling.trainer import Trainer


def lightning_options(trainer: Trainer, recipe: Recipe) -> dict[str, Any]:
    """Keyword arguments of `pytorch_lightning.Trainer`. Raises UserError when the batch cannot be dealt out."""
    import torch

    world = trainer.devices * trainer.nodes
    if recipe.batch_sequences < world:
        raise UserError(
            f"A batch of {recipe.batch_sequences} sequences cannot be dealt to {trainer.nodes} x {trainer.devices} = "
            f"{world} devices: some would have nothing to do.",
            f"Use at most {recipe.batch_sequences} devices, or a recipe with batch_sequences of {world} or more.",
        )
    device = trainer.device if trainer.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("trainer.device=cuda, but torch sees no GPU here.", "Set trainer.device=cpu or auto.")
    return {
        "accelerator": "gpu" if device == "cuda" else "cpu",
        "devices": trainer.devices,
        "num_nodes": trainer.nodes,
        "strategy": _strategy(trainer, world, device),
        "precision": "bf16-mixed" if recipe.precision == "bf16" else "32-true",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "inference_mode": False,
    }


def _strategy(trainer: Trainer, world: int, device: str) -> Any:
    if trainer.strategy == "fsdp":
        from pytorch_lightning.strategies import ModelParallelStrategy

        return ModelParallelStrategy(
            data_parallel_size=world, tensor_parallel_size=1, save_distributed_checkpoint=False
        )
    if world == 1:
        return "auto"
    from pytorch_lightning.strategies import DDPStrategy

    backend = "nccl" if device == "cuda" else "gloo"
    return DDPStrategy(process_group_backend=backend, gradient_as_bucket_view=True)
