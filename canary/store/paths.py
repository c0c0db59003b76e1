"""Where the files of one rollout are kept on this host.

The directory is named after everything that makes a rollout a different one (provider, project,
region, services, router, endpoint), and holds the digest of what routes in it: a plan that routes
otherwise has a directory of its own, so that two such plans never share a journal. One from before
digests were kept is the first plan's that opens it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from canary.host.home import expand_home, personal_dir
from canary.host.owners import Weakness, find_weakness, make_directories, me, name_owner
from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.routing import routing_digest
from canary.rollout.text import quote_command, sanitize

ROUTING_FILE: Final = "routing"

STATE_DIR_VARIABLE = "CANARY_STATE_DIR"
"""The environment variable that replaces the platform's directory for state."""


def state_dir(plan: Plan) -> Path:
    """The directory of `plan`'s rollout, created 0700 when it is missing, as is all above it.

    Lies under $CANARY_STATE_DIR if that is set, else under the platform's directory for state.
    Raises RecordError when it cannot be created, and when it (or a directory above it) is somebody
    else's or can be written by others: who can replace a journal decides what was done.
    """
    base, digest = _base(), routing_digest(plan)
    path = base / rollout_slug(plan)
    try:
        make_directories(path)
        if not _is_of(path, digest):
            path = path.with_name(f"{path.name}-{digest}")
            make_directories(path)
    except OSError as exc:
        raise RecordError(
            f"The directory {path} cannot be created: {exc.strerror or exc}.",
            remedy=f"Set {STATE_DIR_VARIABLE} to a directory that can be written.",
        ) from exc
    if not os.access(path, os.R_OK | os.X_OK):
        raise RecordError(
            f"The directory {path} cannot be entered: it belongs to another user (`sudo -E` leaves"
            " such a one).",
            remedy=f"Give it back: sudo chown -R {os.geteuid()} {quote_command([str(base)])}"
            f"; or set {STATE_DIR_VARIABLE} to a directory that can be written.",
        )
    _demand_own(path)
    _close_to_others(path)
    return path


NOWHERE: Final = Path(os.devnull) / "state"
"""A directory that cannot be: whatever is to be opened in it fails as an unusable file does."""


def find_state_dir(plan: Plan) -> tuple[Path, RecordError | None]:
    """The directory of `plan`'s rollout and None; NOWHERE and why, when it cannot be used.

    For what must go on without it: looking, and a rollback.
    """
    try:
        return state_dir(plan), None
    except RecordError as error:
        return NOWHERE, error


def _demand_own(path: Path) -> None:
    found = find_weakness(path)
    status = path.stat()
    if found is None and status.st_uid != os.geteuid():  # root's: nothing can be written there
        said = f"belongs to {name_owner(status.st_uid)}"
        found = Weakness(path, said, f"sudo chown -R {me()} {quote_command([str(path)])}")
    if found is not None:
        raise RecordError(
            f"What was done is not kept in {sanitize(path, 300)}: {sanitize(found.path, 300)}"
            f" {found.said}, so that others could replace it.",
            remedy=f"{found.remedy}, or set {STATE_DIR_VARIABLE} to a directory of your own.",
        )


def _close_to_others(path: Path) -> None:
    """Nobody else may come in, although he could write nothing: whoever may read a file may lock it
    (flock(2), and SQLite's own locks), and no change would be made while he does.
    """
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        with contextlib.suppress(OSError):  # a read-only disk: then nothing is written either
            path.chmod(stat.S_IRWXU)


def _is_of(directory: Path, digest: str) -> bool:
    """Whether a directory is that of a routing; it becomes so where none has it yet.

    Where that can be neither read nor written (a full disk), no change can be kept in its journal.
    """
    marker = directory / ROUTING_FILE
    try:
        if not marker.exists():
            with _written_aside(directory, digest) as aside, contextlib.suppress(FileExistsError):
                os.link(aside, marker)  # whole or not at all, and never over another's
        return marker.read_text(encoding="ascii", errors="replace").strip() == digest
    except OSError:
        return True


@contextlib.contextmanager
def _written_aside(directory: Path, digest: str) -> Iterator[str]:
    number, aside = tempfile.mkstemp(dir=directory, prefix=f".{ROUTING_FILE}")
    try:
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(f"{digest}\n")
        yield aside
    finally:
        Path(aside).unlink(missing_ok=True)


def journal_path(directory: Path) -> Path:
    """The journal of changes in a rollout's directory."""
    return directory / "journal.db"


def history_path(directory: Path) -> Path:
    """The cache of samples in a rollout's directory."""
    return directory / "history.db"


def evidence_path(directory: Path) -> Path:
    """The record of the evidence in a rollout's directory."""
    return directory / "evidence.db"


def checklists_path(directory: Path) -> Path:
    """The record of checklists in a rollout's directory."""
    return directory / "checklists.db"


def alert_writings_path(directory: Path) -> Path:
    """The record of alert policies in a rollout's directory."""
    return directory / "alerts.db"


def sent_notifications_path(directory: Path, place: int = 0) -> Path:
    """The memory of notifications in a rollout's directory; of several recipients each its own."""
    return directory / (f"told-{place}.db" if place else "told.db")


def recording_path(directory: Path) -> Path:
    """The recording of what was shown, in a rollout's directory."""
    return directory / "recording.db"


def drills_dir() -> Path:
    """Where drills are kept, each in a directory of its own: never beside a real rollout's files.

    Made 0700 when it is missing. Raises RecordError.
    """
    path = _base() / "drills"
    try:
        make_directories(path)
    except OSError as exc:
        raise RecordError(
            f"The directory {path} cannot be created: {exc.strerror or exc}.",
            remedy=f"Set {STATE_DIR_VARIABLE} to a directory that can be written.",
        ) from exc
    _demand_own(path)
    _close_to_others(path)
    return path


KEPT_DRILLS: Final = 20
"""So many of the newest can be looked into; the figures of all stay."""


def forget_old_drills(directory: Path) -> None:
    """Remove the files of all but the newest drills; what cannot be removed is left."""
    places = sorted(p for p in directory.glob("*T*Z") if p.is_dir() and not p.is_symlink())
    for place in places[:-KEPT_DRILLS]:
        shutil.rmtree(place, ignore_errors=True)


def remove_kept(directory: Path) -> None:
    """Remove all that is kept of one world, for it starts over; nothing where there is nothing."""
    for path in (place(directory) for place in _PLACES):
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


_PLACES: Final = (
    journal_path,
    history_path,
    evidence_path,
    recording_path,
    checklists_path,
    alert_writings_path,
    sent_notifications_path,
)


def rollout_slug(plan: Plan) -> str:
    """A file name for the rollout: readable in front, a digest behind that tells plans apart."""
    target = plan.target
    digest = hashlib.sha256("\0".join(plan.identity).encode()).hexdigest()[:10]
    readable = "-".join((plan.provider, target.project, target.region, target.legacy))
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '_', readable)[:80].strip('.-')}-{digest}"


def _base() -> Path:
    override = os.environ.get(STATE_DIR_VARIABLE)
    if override:
        return expand_home(override, STATE_DIR_VARIABLE).absolute()
    return personal_dir("state", STATE_DIR_VARIABLE)
