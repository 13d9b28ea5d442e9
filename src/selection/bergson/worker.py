"""bergson's own command line in a process that ends with its parent: `python -m src.selection.bergson.worker`."""

from __future__ import annotations

import json
import os
import sys


def main(config: str, how: str) -> None:
    """Run the steps of a configuration file. how: JSON with the model's folder, torch's threads and the device."""
    told = json.loads(how)
    if told["device"] == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # bergson takes every card that it sees

    from bergson.__main__ import main as bergson

    from src.core.processes import end_with_parent
    from src.core.threads import use_threads

    end_with_parent()
    use_threads(told["model"], told["threads"])
    sys.argv = ["bergson", config]
    bergson()


if __name__ == "__main__":
    main(*sys.argv[1:])
