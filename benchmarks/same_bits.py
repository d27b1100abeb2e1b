"""Whether two versions of the library fit the README's examples to the same weights.

`python -m benchmarks.same_bits` prints a line a fit: its epochs and a hash of all weights.
`--against FOLDER` runs the same code on the checkout in FOLDER too, and says what differs.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="a checkout of another version")
    against = parser.parse_args().against
    ours = lines_of(ROOT)
    print(*ours, sep="\n")
    if against is None:
        return 0
    theirs = lines_of(against.resolve())
    differing = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    for one, other in differing:
        print(f"differs:\n  here  {one}\n  there {other}")
    print("the same bits" if not differing else f"{len(differing)} of {len(ours)} differ")
    return int(bool(differing))


def lines_of(checkout: Path) -> list[str]:
    """Return what the version in ``checkout`` makes of this README's examples."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program()]
    done = subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=True
    )
    return [line for line in done.stdout.splitlines() if line.startswith("bits ")]


def program() -> str:
    """Return the README's code, followed by what tells the weights of each fit apart."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    return f"{_WATCH}\n" + "\n".join(blocks)


_WATCH = """
import hashlib
from skfusion import FusionClassifier

def _told(model):
    weights = hashlib.sha256()
    for name, value in model.net_.module_.state_dict().items():
        weights.update(value.contiguous().numpy().tobytes())
    n_epochs = len(model.history_)
    print("bits", type(model).__name__, n_epochs, "epochs", weights.hexdigest()[:32])

_fit = FusionClassifier.fit

def _fit_and_tell(self, *args, **kwargs):
    _told(_fit(self, *args, **kwargs))
    return self

FusionClassifier.fit = _fit_and_tell
"""


if __name__ == "__main__":
    sys.exit(main())
