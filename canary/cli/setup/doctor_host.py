"""What `canary doctor` finds on this host: clock, journal, terminal, tmux."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from canary.host.children import find_own_program, own_path, safe_directory, tmux_environment
from canary.host.owners import find_weakness
from canary.host.trust import read_trust
from canary.rollout.errors import CanaryError, RecordError
from canary.rollout.plan.hosts import foreign_hosts
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_count, format_timestamp, sanitize
from canary.store.paths import sent_notifications_path
from canary.store.sent_notifications import SentNotifications

if TYPE_CHECKING:
    from canary.cloud.views import HealthReport
    from canary.engine.session import Session

CERTIFICATE_FILES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Whoever writes there could, on the way to it, be any service."""

TMUX_WITHIN_S: Final = 2.0
MOST_COUNTED: Final = 1000
"""So many of the newest changes are looked at."""
_FOR_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def look_at_health(report: HealthReport) -> Finding:
    """Whether a side is well; what cannot be reached from here may be well for its callers."""
    what = f"health of {report.service}"
    if report.reached:
        return Finding(what, "ok" if report.ok else "wrong", report.message, needed=False)
    remedy = (
        "Ask from a host that may reach it; behind IAM: `id_token = true` under [target.health]."
    )
    return Finding(what, "unknown", report.message, remedy, needed=False)


def look_at_clock(session: Session) -> Finding:
    """This host's clock against the dates of the cloud's answers; after the first of them."""
    from canary.cloud.connection.clock import SystemClock

    clock = session.clock
    if not isinstance(clock, SystemClock):
        return Finding("clock", "ok", f"the local cloud's own, ×{clock.speed:g}")
    if clock.skew_s is None:
        return Finding("clock", "unknown", "no answer has told the cloud's time", needed=False)
    if not clock.skew_s:
        return Finding("clock", "ok", "agrees with the cloud's")
    from canary.engine.observe.transitions import skew_words

    said = f"{skew_words(clock.skew_s)}; the console goes by the cloud's"
    return Finding("clock", "wrong", said, "Set this host's clock, with NTP.", needed=False)


def look_at_hosts(plan: Plan) -> Iterator[Finding]:
    """The hosts beside Google's that the plan names for credentials; usually none."""
    for host in foreign_hosts(plan.target.endpoints):
        what = f"host {sanitize(host, 260)}"
        try:
            trusted = host in read_trust().hosts
        except CanaryError as error:
            yield Finding(what, "wrong", error.message, error.remedy)
            continue
        if trusted:
            remedy = f"If it is not to have them: `canary trust remove {sanitize(host, 260)}`."
            yield Finding(what, "ok", "none of Google's; it gets your credentials", remedy)
        else:
            remedy = f"If it is to have them: `canary trust host {sanitize(host, 260)}`."
            said = "none of Google's, and not trusted with your credentials"
            yield Finding(what, "wrong", said, remedy)


def look_at_surroundings(plan: Plan) -> Iterator[Finding]:
    """What the environment names and others could have written: usually none."""
    entries = [e for e in os.environ.get("PATH", "").split(os.pathsep) if Path(e).is_dir()]
    open_to_others = [e for e in entries if e not in own_path().split(os.pathsep)]
    if open_to_others:
        said = "others could put programs into " + ", ".join(map(sanitize, open_to_others))
        remedy = "git and tmux are not taken from there; a program of the team's may be."
        yield Finding("PATH", "wrong", said, remedy, needed=False)
    if plan.provider != "gcp":
        return
    for name in (*CERTIFICATE_FILES, "GOOGLE_APPLICATION_CREDENTIALS"):
        found = None
        with contextlib.suppress(OSError):  # one that is not there is said by whoever needs it
            found = find_weakness(Path(os.environ[name])) if os.environ.get(name) else None
        if found is not None:
            said = f"{sanitize(found.path, 200)} {found.said}"
            yield Finding(name, "wrong", said, found.remedy, needed=False)


def look_at_journal(session: Session) -> Finding:
    """Whether the journal is whole, private, and has nothing that waits for a person."""
    journal = session.journal
    if journal is None:
        error = session.journal_error
        said = error.message if error is not None else "cannot be opened"
        return Finding("journal", "wrong", said, error.remedy if error is not None else "")
    try:
        journal.check()
        journal.demand_room()
        try_to_write(journal.path.parent)
        entries = journal.recent(MOST_COUNTED)
        unreadable = len(journal.unreadable())
    except CanaryError as error:
        return Finding("journal", "wrong", error.message, error.remedy)
    where = sanitize(journal.path)
    exposed = [path for path in (journal.path.parent, journal.path) if _is_open_to_others(path)]
    if exposed:
        said = f"others can read or write {', '.join(sanitize(path) for path in exposed)}"
        return Finding("journal", "wrong", said, f"chmod go-rwx {sanitize(exposed[0])}")
    still_open = sum(e.outcome is None for e in entries)
    unknown = sum(e.outcome is not None and e.outcome.state == "unknown" for e in entries)
    more = " or more" if len(entries) == MOST_COUNTED else ""
    kept = f"{format_count(len(entries))}{more} changes"
    said = f"{where}: {kept}, {still_open} without an outcome, {unknown} unknown"
    if unreadable:
        what = "1 is" if unreadable == 1 else f"{unreadable} are"
        said += f"; {what} unreadable: unknown outcome"
        remedy = "`canary log` shows them; `canary status` says what is set."
        return Finding("journal", "wrong", said, remedy, needed=False)
    remedy = "`canary log` shows them: verify, resume or abandon." if still_open + unknown else ""
    return Finding("journal", "ok", said, remedy)


def look_at_webhooks(session: Session) -> Iterator[Finding]:
    """Whether what others were to be told has been taken: of each recipient, in the plan's order.

    Each has a memory of its own, and one that is away holds up no other.
    """
    recipients = session.plan.notify.each
    if not any(each.is_on for each in recipients):
        yield Finding("webhook", "ok", "none is set in the plan", needed=False)
    for place, each in enumerate(recipients):
        if each.is_on:
            what = "webhook" if len(recipients) == 1 else f"webhook {place + 1} ({each.kind})"
            yield _of_backlog(what, sent_notifications_path(session.directory, place))


def _of_backlog(what: str, path: Path) -> Finding:
    try:
        with SentNotifications(path, read_only=True) as kept:
            backlog = kept.backlog()
    except CanaryError as error:
        return Finding(what, "wrong", error.message, error.remedy, needed=False)
    if backlog is None:
        return Finding(what, "ok", "nothing waits to be told", needed=False)
    waits = (
        "1 notification waits"
        if backlog.count == 1
        else f"{format_count(backlog.count)} notifications wait"
    )
    said = f"{waits} since {format_timestamp(backlog.since)}: {backlog.error}"
    remedy = "It is tried again by each console, guard and change on this host, for a week."
    return Finding(what, "wrong", said, remedy, needed=False)


def try_to_write(directory: Path) -> None:
    """Write a little into the directory of the journal, and take it away again.

    What the system says of room and rights is not enough: a quota, a read-only mount or a disk that
    fails is met by writing. Raises RecordError.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".doctor-") as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        raise RecordError(
            f"{sanitize(directory)} cannot be written: {exc.strerror or exc}.",
            remedy="Make room there, or set CANARY_STATE_DIR to a directory that can be written.",
        ) from exc


def _is_open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & _FOR_OTHERS)
    except OSError:
        return False


def look_at_terminal() -> Iterator[Finding]:
    """What the console would find here; the shell's commands need none of it."""
    if not sys.stdout.isatty():
        yield Finding("terminal", "unknown", "none here: the console needs one", needed=False)
        return
    colours = os.environ.get("COLORTERM") or os.environ.get("TERM") or "unknown"
    columns, lines = os.get_terminal_size()
    encoding = sys.stdout.encoding
    fine = encoding.lower().replace("-", "") == "utf8"
    said = f"{columns}×{lines}, {sanitize(colours, 40)}, {encoding}"
    remedy = "" if fine else "Set a UTF-8 locale, as LC_ALL=C.UTF-8: glyphs become ? without."
    yield Finding("terminal", "ok" if fine else "wrong", said, remedy, needed=False)
    if "TMUX" in os.environ:
        yield look_at_tmux()


def look_at_tmux() -> Finding:
    """Whether tmux draws the signs, and whether what is copied reaches the clipboard through it."""
    program = find_own_program("tmux")
    if program is None:
        return Finding("tmux", "unknown", "is not on PATH", needed=False)
    try:
        draws = _ask_tmux(program, "display-message", "-p", "#{client_utf8}")
        setting = _ask_tmux(program, "show-options", "-gsv", "set-clipboard")
    except (OSError, subprocess.TimeoutExpired):
        return Finding("tmux", "unknown", "does not answer", needed=False)
    if draws == "0":
        remedy = "Start it as `tmux -u`, or with a UTF-8 locale (LC_ALL=C.UTF-8) on this host."
        return Finding("tmux", "wrong", "draws _ for every sign: not UTF-8", remedy, needed=False)
    if not setting:
        return Finding("tmux", "unknown", "does not say how it copies", needed=False)
    state: State = "wrong" if setting == "off" else "ok"
    said = f"set-clipboard is {setting}"
    remedy = "`tmux set -s set-clipboard on`; copying goes into tmux's buffer meanwhile."
    return Finding("tmux", state, said, remedy if state == "wrong" else "", needed=False)


def _ask_tmux(program: str, *arguments: str) -> str:
    """What tmux answers; "" when it refuses."""
    asked = subprocess.run(
        [program, *arguments],
        cwd=safe_directory(),
        env=tmux_environment(os.environ),
        capture_output=True,
        text=True,
        timeout=TMUX_WITHIN_S,
        check=False,
    )
    return "" if asked.returncode else sanitize(asked.stdout.strip(), 20)


# One thing that `canary doctor` has looked at.

State = Literal["ok", "wrong", "unknown"]


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, and how it is. `needed` False: the rollout works without it."""

    what: str
    state: State
    said: str
    remedy: str = ""
    needed: bool = True
