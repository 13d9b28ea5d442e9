"""What this machine has, asked without importing torch."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from src.core.errors import UserError

GPU_BUILD = "make install EXTRA=gpu"  # what brings a torch with CUDA


@cache
def cuda_devices() -> int:
    """How many NVIDIA GPUs the driver shows to this process (it obeys CUDA_VISIBLE_DEVICES)."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    asked = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if asked else 0


def cpu_build() -> str:
    """The version of a torch that was built without CUDA; nothing where torch has it, or is not installed."""
    try:
        build = version("torch")
    except PackageNotFoundError:
        return ""
    return build if build.endswith("+cpu") else ""


def require_cuda(devices: int, needed_by: str, mend: str) -> None:
    """Raises UserError where there are fewer NVIDIA GPUs, or a torch that cannot use them."""
    there = cuda_devices()
    if there < devices:
        wanted = "an NVIDIA GPU" if devices == 1 else f"{devices} NVIDIA GPUs"
        has = "none" if not there else str(there)
        raise UserError(f"{needed_by} asks for {wanted}, and this machine has {has}.", mend)
    if build := cpu_build():
        raise UserError(f"{needed_by} asks for a GPU, and torch {build} is the CPU build.", GPU_BUILD)
