"""`python -m canary.simulator '<json>'`: run the embedded cloud described by a JSON object."""

from __future__ import annotations

import sys

from canary.simulator.config import ConfigError, parse_config

USAGE = 2


def main(arguments: list[str]) -> int:
    """Run with the one argument, or `{}`; exit 2 with one sentence when it is not usable."""
    if len(arguments) > 1:
        sys.stderr.write("usage: python -m canary.simulator '<json object>'\n")
        return USAGE
    try:
        config = parse_config(arguments[0] if arguments else "{}")
        from canary.simulator.control.lifecycle import run

        return run(config)
    except ConfigError as exc:
        sys.stderr.write(f"canary.simulator: {exc}\n")
        return USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
