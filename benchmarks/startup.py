"""How long the command line takes to answer.

    python benchmarks/startup.py

Whole processes, interleaved; beside it the bare interpreter, which is the floor.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from common import interleaved, save, spread, table

REPEATS = 15


def main() -> None:
    script = str(Path(sys.executable).with_name("hwnas"))
    if shutil.which(script) is None:
        raise SystemExit(f"{script} is not there: install the project first (make test does)")
    commands = {
        "hwnas --help": [script, "--help"],
        "hwnas search --help": [script, "search", "--help"],
        "hwnas spaces": [script, "spaces"],
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import torch'": [sys.executable, "-c", "import torch"],
    }

    def call(command: list[str]) -> Callable[[], object]:
        return lambda: subprocess.run(command, check=True, capture_output=True)

    seconds = interleaved({name: call(command) for name, command in commands.items()}, REPEATS)
    rows = [{"command": name, **spread(values)} for name, values in seconds.items()]
    print(table(rows))
    save("startup", {"unit": "seconds", "rows": rows})


if __name__ == "__main__":
    main()
