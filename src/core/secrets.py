"""Secrets of the environment, out of reach of whoever may look at this process from outside."""

from __future__ import annotations

import ctypes
import os
import re
import sys

SECRET = re.compile(r"(KEY|SECRET|PASSWORD|TOKEN)$")  # of a variable's name


def hide_secrets() -> None:
    """Overwrite the values of secret variables where `/proc/<pid>/environ` shows them, which is the memory that the
    process was started with. `os.environ` and libraries still have them.

    Every entry point calls it first: a program that a model wrote may run as the same user (`programs=unisolated`).
    """
    if sys.platform != "linux":
        return
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    for name, value in os.environ.items():
        if SECRET.search(name) and (address := getenv(os.fsencode(name))):
            ctypes.memset(address, ord("*"), len(os.fsencode(value)))
            os.environ[name] = value  # a copy elsewhere
