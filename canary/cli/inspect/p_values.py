"""p-values by SciPy, in a process of its own.

`python -m canary.cli.inspect.p_values` reads pairs of samples as JSON on standard input and prints
a list of p-values.

SciPy takes 0.7 s and 100 MB to import and is an optional extra, so nothing else imports it.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from canary.host.children import child_environment, python_command, safe_directory

Pair = tuple[tuple[float, ...], tuple[float, ...]]

TIMEOUT_S: Final = 120.0
_NOT_INSTALLED: Final = 9
NO_SCIPY: Final = (
    "No p-values: they need SciPy, the optional extra canary-console[report]. Shift and interval"
    " do not."
)


def ask_p_values(pairs: Sequence[Pair]) -> tuple[list[float | None], str]:
    """A p-value for each pair (two-sided), None for an empty side; and why there are none."""
    nothing: list[float | None] = [None] * len(pairs)
    try:
        ended = subprocess.run(
            python_command("canary.cli.inspect.p_values"),
            cwd=safe_directory(),
            env=child_environment(),
            input=json.dumps(pairs),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if ended.returncode == _NOT_INSTALLED:
            return nothing, NO_SCIPY
        values = json.loads(ended.stdout) if ended.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired, ValueError) as exc:
        return nothing, f"No p-values: SciPy's process failed ({type(exc).__name__})."
    if not isinstance(values, list) or len(values) != len(pairs):
        return nothing, f"No p-values: SciPy's process ended with {ended.returncode}."
    return values, ""


def main() -> int:
    """Read, compute, print; 9 when SciPy is not installed."""
    try:
        from scipy.stats import mannwhitneyu
    except ImportError:
        return _NOT_INSTALLED
    values: list[float | None] = []
    for first, second in json.load(sys.stdin):
        value = float(mannwhitneyu(first, second).pvalue) if first and second else None
        values.append(None if value is None or math.isnan(value) else value)
    sys.stdout.write(json.dumps(values))
    return 0


if __name__ == "__main__":
    sys.exit(main())
