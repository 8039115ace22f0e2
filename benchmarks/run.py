"""`make bench`: one benchmark after the other, and at the end the figure of each.

    python benchmarks/run.py inference tracked

What a benchmark prints is shown as it comes. One that fails does not stop the others; the exit code tells, and the
summary names it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
_MAIN = 'if __name__ == "__main__"'


@dataclass(frozen=True)
class Outcome:
    """What became of a benchmark.

    Attributes:
        line: its last line, `bench <name>: <figure>`, or why there is none.
        seconds: of wall time.
    """

    name: str
    line: str
    seconds: float
    failed: bool


def run_all(scripts: Sequence[Path]) -> list[Outcome]:
    """Run each script in a process of its own."""
    outcomes: list[Outcome] = []
    begin = time.monotonic()
    for number, script in enumerate(scripts, start=1):
        minutes = (time.monotonic() - begin) / 60
        print(f"\n=== {script.stem}: {number} of {len(scripts)}, after {minutes:.1f} minutes", flush=True)
        outcomes.append(_run(script))
    return outcomes


def _run(script: Path) -> Outcome:
    begin, prefix, line = time.monotonic(), f"bench {script.stem}: ", None
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            print(text, end="", flush=True)
            line = text.rstrip("\n") if text.startswith(prefix) else line
    seconds = time.monotonic() - begin
    if process.returncode:
        return Outcome(script.stem, f"{prefix}FAILED with exit code {process.returncode}", seconds, True)
    if line is None:
        return Outcome(script.stem, f"{prefix}FAILED: it told no figure", seconds, True)
    return Outcome(script.stem, line, seconds, False)


def main(names: Sequence[str]) -> int:
    """Run the named benchmarks and print the summary; the exit code is 1 where one failed, 2 where none was run."""
    scripts = [FOLDER / f"{name}.py" for name in names]
    if unknown := [script.stem for script in scripts if not script.is_file()]:
        known = sorted(
            path.stem for path in FOLDER.glob("*.py") if path != Path(__file__) and _MAIN in path.read_text()
        )
        print(f"There is no benchmark {', '.join(unknown)}; known are {', '.join(known)}", file=sys.stderr)
        return 2
    outcomes = run_all(scripts)
    total = sum(one.seconds for one in outcomes) / 60
    print(f"\n=== summary: {len(outcomes)} benchmarks in {total:.1f} minutes; tables as JSON in {FOLDER / 'results'}")
    for one in outcomes:
        print(f"{one.line}   [{one.seconds:.0f} s]")
    if failed := [one.name for one in outcomes if one.failed]:
        print(f"FAILED: {', '.join(failed)}; what they said stands above", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
