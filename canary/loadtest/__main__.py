"""`python -m canary.loadtest`, with its settings as JSON on standard input: a command line can be
read by everybody on the host, and requests may hold what is not for everybody.
"""

from __future__ import annotations

import sys

FAILED = 3


def main() -> int:
    """Run until the time is up or SIGTERM; 0 then, 3 when it cannot begin."""
    try:
        # First of all imports: it replaces sockets and threads by gevent's.
        import locust  # noqa: F401
    except ImportError as exc:
        sys.stderr.write(f"Locust cannot be imported: {exc}\n")
        return FAILED
    from canary.loadtest.load import parse_settings
    from canary.loadtest.runner import run

    try:
        settings = parse_settings(sys.stdin.read())
    except ValueError as exc:
        sys.stderr.write(f"The settings cannot be read: {exc}\n")
        return FAILED
    return run(settings)


sys.exit(main())
