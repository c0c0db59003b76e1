"""What the table [target.router] must obey for the kinds `url-map` and `command`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from canary.rollout.plan_mistakes import Found, Mistake, check_name, check_range
from canary.rollout.words import plain

if TYPE_CHECKING:
    from canary.rollout.plan import Router

PERCENT: Final = "{percent}"
"""What stands for the share in the arguments of `set`."""

_RESOURCE: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME: Final = "the name of a resource: lower-case letters, digits and hyphens, at most 63"


def fill_percent(arguments: Sequence[str], percent: int) -> tuple[str, ...]:
    """The arguments with the share in them, for setting it."""
    return tuple(each.replace(PERCENT, str(percent)) for each in arguments)


def find_router_mistakes(router: Router) -> Found:
    """Every rule that the table breaks."""
    if router.kind == "url-map":
        yield from _check_url_map(router)
    if router.kind == "command" or router.set or router.read:
        yield from _check_command(router)
    yield from check_range("target.router.timeout_s", router.timeout_s, 0.1, 600)


def _check_url_map(router: Router) -> Found:
    for name in ("url_map", "legacy_backend", "canary_backend"):
        given = getattr(router, name)
        if given is None:
            yield Mistake(f"target.router.{name}", "is missing", _NAME)
        else:
            yield from check_name(f"target.router.{name}", given, _RESOURCE, _NAME)
    if router.canary_backend is not None and router.canary_backend == router.legacy_backend:
        wrong = "is the same as target.router.legacy_backend"
        yield Mistake("target.router.canary_backend", wrong, "another backend service")


def _check_command(router: Router) -> Found:
    example = f'a program and its arguments, as ["set-canary-share", "{PERCENT}"]'
    if not router.set:
        yield Mistake("target.router.set", "is missing", example)
    elif not any(PERCENT in argument for argument in router.set[1:]):
        yield Mistake("target.router.set", f"has no argument with {PERCENT}", example)
    for name, arguments in (("set", router.set), ("read", router.read)):
        if any("\0" in argument for argument in arguments):
            yield Mistake(f"target.router.{name}", "holds a NUL character", "plain text")
        program = arguments[0] if arguments else "-"
        # Beside which directory a relative path lies would depend on where the console is started.
        if not program or (PurePath(program).name != program and not program.startswith("/")):
            wrong = f'begins with "{plain(program, 80)}"'
            yield Mistake(f"target.router.{name}", wrong, "a name in PATH, or an absolute path")
