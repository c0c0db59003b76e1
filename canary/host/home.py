"""The person's own directories: state and config, where there is a home, and where there is none.

Without HOME and without an entry in passwd (a container with an id of its own) a library would
answer with "~" as the name of a directory here.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final, Literal

from canary.rollout.errors import RecordError
from canary.rollout.text import sanitize

APP: Final = "canary-console"


def expand_home(text: str, name: str) -> Path:
    """`text` as a path, "~" expanded; `name` is what gave it (a variable, an option).

    Raises RecordError when there is no home directory that it could mean.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as exc:
        raise RecordError(
            f"{name} ({sanitize(text, 100)}) cannot be used: there is no such home directory.",
            remedy="Write the path in full.",
        ) from exc


def personal_dir(kind: Literal["state", "config"], variable: str) -> Path:
    """The platform's directory for `kind`; `variable` may name another. It need not be there.

    Raises RecordError where nobody's home can be told, or where a variable makes it relative.
    """
    from platformdirs import user_config_path, user_state_path  # start-up: not with the override

    found: Path | None = None
    # Newer ones of the library refuse, older ones answer "~/…".
    with contextlib.suppress(RuntimeError):
        found = (user_state_path if kind == "state" else user_config_path)(APP, appauthor=False)
    if found is not None and found.is_absolute():
        return found
    raise RecordError(
        f"There is no home directory for this user, so there is no place for its {kind}.",
        remedy=f"Set HOME, or {variable} to a directory of your own.",
    )
