"""The entry point of `canary`: what was last seen is painted, then all else is imported.

Nothing but the first paint may be imported at the top here: each module more is time in front of a
dark screen (tests/paint/test_imports.py).
"""

from __future__ import annotations

import sys

from canary.paint.first import paint_first
from canary.paint.screen import EXIT_INTERRUPTED, give_back


def main() -> int:
    """Run the command that was typed and end the process with its exit code."""
    try:
        paint_first(sys.argv[1:])
        from canary.cli.commands import run_process

        return run_process()
    except KeyboardInterrupt:  # while modules are read; afterwards the command says it by itself
        give_back()
        sys.stderr.write("canary: Interrupted.\n")
        return EXIT_INTERRUPTED
    finally:
        give_back()


if __name__ == "__main__":
    sys.exit(main())
