"""What a terminal, a scheduler and a closed pipe do to a command."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from src.core import stopping
from src.core.stopping import Stopped

ROOT = Path(__file__).parents[2]
COMMAND = "from src.core import stopping\nimport time\nwith stopping.command():\n    "
WAIT = "print('ready', flush=True); time.sleep(60)"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_says_one_line(number):
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND + WAIT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.communicate(timeout=30)[1] == f"Stopped by {number.name}; the same command goes on.\n"
    assert process.returncode == 128 + number


def test_a_closed_pipe_ends_what_only_prints_without_a_word():
    script = f'{sys.executable} -c "$PROGRAM" | head -1'
    environment = {**os.environ, "PROGRAM": COMMAND + "while True: print(1)"}
    done = subprocess.run(script, shell=True, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=30)
    assert (done.stdout, done.stderr) == ("1\n", "")


@pytest.fixture
def listening():
    before = signal.getsignal(signal.SIGTERM)
    stopping.listen(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)
    stopping._State.asked = None


def test_a_stop_comes_at_once_or_at_the_end_of_a_deferred_block(listening):
    with pytest.raises(Stopped):
        os.kill(os.getpid(), signal.SIGTERM)
    stopping._State.asked = None
    done = []
    with pytest.raises(Stopped), stopping.deferred():
        assert not stopping.requested()
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("the rest of the step")
        assert stopping.requested()
    assert done == ["the rest of the step"]


def test_an_error_in_a_deferred_block_is_that_error(listening):
    with pytest.raises(ZeroDivisionError), stopping.deferred():
        os.kill(os.getpid(), signal.SIGTERM)
        raise ZeroDivisionError
