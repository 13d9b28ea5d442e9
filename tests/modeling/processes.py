"""Several processes for a test: forks of a server that has loaded torch and never computed.

Forks of the test's own process hang where its OpenMP threads have computed before: of two threads a fork has one.
"""

import multiprocessing
from multiprocessing.context import ForkServerContext


def fork_server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["src.modeling.training"])
    return context
