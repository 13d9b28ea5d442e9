import os
import subprocess
import sys

import pytest

CODE = """
import os
from src.core.secrets import hide_secrets
hide_secrets()
shown = open("/proc/self/environ").read()
print(os.environ["FAKE_API_KEY"], "sk-123" in shown, "visible" in shown)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a process's environment in /proc")
def test_a_secret_is_there_for_libraries_and_not_in_proc():
    environment = {**os.environ, "FAKE_API_KEY": "sk-123", "PLAIN": "visible"}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["sk-123", "False", "True"]
