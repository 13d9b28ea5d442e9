"""From our `Trainer` options to Lightning's."""

from __future__ import annotations

from functools import cache
from typing import Any

from src.core.errors import UserError
from src.modeling import ranks
from src.modeling.micro_batches import plan_micro_batches
from src.modeling.recipe import Recipe
from src.modeling.trainer import Trainer


def device_of(trainer: Trainer) -> str:
    """ "cpu" or "cuda". Raises UserError when a GPU is asked for that torch does not see."""
    import torch

    if trainer.device == "cuda" and not torch.cuda.is_available():
        raise UserError("trainer.device=cuda, but torch sees no GPU here.", "Set trainer.device=cpu or auto.")
    return trainer.device if trainer.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def check_processes(trainer: Trainer) -> None:
    """Raises UserError unless there is one process a device."""
    wanted, there = trainer.nodes * trainer.devices, ranks.count()
    if wanted != there:
        raise UserError(
            f"trainer.nodes x trainer.devices = {trainer.nodes} x {trainer.devices} = {wanted} devices, one process "
            f"each, but {there} {'process was' if there == 1 else 'processes were'} started.",
            f"Set trainer.devices={there} (with trainer.nodes=1), or start {trainer.devices} processes on each of "
            f"{trainer.nodes} machine(s): compute.torchrun={trainer.devices}, or by hand `python -m src.worker "
            f"spec.json --processes={trainer.devices} --nodes={trainer.nodes} --rendezvous=HOST:PORT`.",
        )


def lightning_options(trainer: Trainer, recipe: Recipe) -> dict[str, Any]:
    """Keyword arguments of `pytorch_lightning.Trainer`. Raises UserError when the batch has too few sequences."""
    device = device_of(trainer)
    world = plan_micro_batches(recipe, trainer, device).devices
    check_processes(trainer)
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


def is_spread(trainer: Trainer) -> bool:
    """Whether the model is sharded; one device holds all of it whatever the strategy."""
    return trainer.strategy == "fsdp" and trainer.devices * trainer.nodes > 1


@cache
def offloading() -> Any:
    """Lightning's strategy for sharded models, with the shards on the host: a class made here, for Lightning is slow to
    import."""
    import torch
    from lightning_fabric.utilities.device_dtype_mixin import _update_properties
    from pytorch_lightning.strategies import ModelParallelStrategy

    class Offloading(ModelParallelStrategy):
        def model_to_device(self) -> None:
            """Transformers reads shards onto the card and Lightning would leave them there, but FSDP takes them from
            the host. Adapters and buffers are not FSDP's and belong on the card. Adam's moments are made where the
            weights are."""
            _update_properties(self.model, device=self.root_device)
            self.model._apply(lambda t: t.to("cpu" if is_shard(t) else self.root_device))

    def is_shard(tensor: torch.Tensor) -> bool:
        return isinstance(tensor, torch.distributed.tensor.DTensor)

    return Offloading


def _strategy(trainer: Trainer, world: int, device: str) -> Any:
    if is_spread(trainer):
        from pytorch_lightning.strategies import ModelParallelStrategy

        kind = offloading() if trainer.offload else ModelParallelStrategy
        return kind(data_parallel_size=world, tensor_parallel_size=1, save_distributed_checkpoint=False)
    if world == 1:
        return "auto"
    from pytorch_lightning.strategies import DDPStrategy

    backend = "nccl" if device == "cuda" else "gloo"
    return DDPStrategy(process_group_backend=backend, gradient_as_bucket_view=True)
