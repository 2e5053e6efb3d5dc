"""Pastes real output into the README, between its markers, so that what stands there was really printed.

python scripts/paste_output.py quickstart runs/quickstart    the table and verdict of a finished run
make bench | python scripts/paste_output.py bench            the table of the benchmarks
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def main() -> int:
    """Paste one output."""
    if len(sys.argv) < 2 or sys.argv[1] not in ("quickstart", "bench"):
        print(__doc__, file=sys.stderr)
        return 2
    name = sys.argv[1]
    if name == "quickstart":
        words = [sys.executable, "-c", "from w2sg.cli.main import main; main()", "report", sys.argv[2]]
        narrow = {**os.environ, "COLUMNS": "88"}
        shown = subprocess.run(words, check=True, capture_output=True, text=True, env=narrow).stdout
        lines = [line.rstrip() for line in shown.strip().splitlines()]
        text = "```\n" + "\n".join(lines) + "\n```"
    else:
        text = "\n".join(line.rstrip() for line in sys.stdin if line.startswith("|"))
    page = README.read_text(encoding="utf-8")
    marker = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not text.strip("`\n") or not marker.search(page):
        print(f"nothing to paste, or no marker <!-- {name} --> in {README}", file=sys.stderr)
        return 1
    README.write_text(marker.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
