"""Stands for Lean's REPL in tests: answers recorded exchanges, in the form of its documentation.

python repl.py EXCHANGES: a JSON list of {"cmd": part of a command, "reply": ..., "sleep": seconds, "die": true,
"allocate": bytes}.
"""

import json
import sys
import time
from pathlib import Path

exchanges = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
block = ""
for line in sys.stdin:
    if line.strip():
        block += line
        continue
    command = json.loads(block)
    block = ""
    with Path(sys.argv[1]).with_suffix(".log").open("a", encoding="utf-8") as log:
        log.write(json.dumps(command) + "\n")
    found = next(
        (e for e in exchanges if e["cmd"] in command["cmd"] and e.get("env", command.get("env")) == command.get("env")),
        None,
    )
    if found is None:
        sys.exit(f"no recorded answer to {command}")
    if found.get("die"):
        sys.exit(1)
    bytearray(found.get("allocate", 0))
    time.sleep(found.get("sleep", 0))
    print(json.dumps(found["reply"], indent=1), end="\n\n", flush=True)
