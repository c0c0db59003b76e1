"""Who this person is: asked in one place, by the shell and by the console.

The user is the real one of this process by passwd: what the kernel knows, not what the environment
says. Names from the environment are claims, and stand beside it as such; so does the identity that
the cloud will see, as far as the credentials file names it.
"""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from canary.rollout.change.change import Author
from canary.rollout.plan.file import read_at_most
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize

CLAIMS: Final = ("SUDO_USER", "LOGNAME", "USER")
"""Variables by which shells and sudo say who it is; the first that says another name counts."""

LOGIN_UID: Final = Path("/proc/self/loginuid")
"""Who logged in, kept by the kernel's audit through su and sudo; 4294967295: nobody is known."""

_NO_LOGIN: Final = 4_294_967_295
_LONGEST: Final = 80
_MOST_BYTES: Final = 100_000


def this_person(plan: Plan | None = None, environ: Mapping[str, str] = os.environ) -> Author:
    """The real user and the host of this process: "oncall@bastion-2".

    An id that passwd does not know is "uid 1234". Beside it: who logged in, where the kernel kept
    that and it is another; whom the environment names, if another; with a `plan` on a real cloud,
    the identity of the credentials file.
    """
    user = _name_of(os.getuid())
    beside = []
    login = _find_login()
    if login and login != user:
        beside.append(f"logged in as {login}")
    for variable in CLAIMS:
        claimed = sanitize(environ.get(variable, ""), _LONGEST)
        if claimed and claimed != user:
            beside.append(f"{variable} claims {claimed}")
            break
    if plan is not None and plan.provider == "gcp" and (identity := find_identity(environ)):
        beside.append(f"in the cloud {identity}")
    host = sanitize(socket.gethostname(), _LONGEST)
    return Author(user, host, "; ".join(beside))


def find_identity(environ: Mapping[str, str] = os.environ) -> str:
    """The e-mail address in the credentials file; "" where none says it (a host's own identity, or
    a person's login): Cloud Run names who changed a service last.

    Source: google-auth, google/auth/_default.py and _cloud_sdk.py (where the file is, its fields).
    """
    given = environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    try:
        folder = environ.get("CLOUDSDK_CONFIG", "") or str(Path.home() / ".config" / "gcloud")
    except RuntimeError:  # nobody's home can be told
        folder = os.devnull
    path = Path(given) if given else Path(folder) / "application_default_credentials.json"
    try:
        document: Any = msgspec.json.decode(read_at_most(path, _MOST_BYTES)[0])
    except (OSError, ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    acts_as = str(document.get("service_account_impersonation_url") or "")
    acts_as = acts_as.rpartition("/serviceAccounts/")[2].partition(":")[0]
    for said in (acts_as, document.get("client_email"), document.get("account")):
        if isinstance(said, str) and "@" in said:
            return sanitize(said, _LONGEST)
    return ""


def _name_of(uid: int) -> str:
    try:
        return sanitize(pwd.getpwuid(uid).pw_name, _LONGEST) or f"uid {uid}"
    except KeyError:
        return f"uid {uid}"


def _find_login() -> str:
    try:
        uid = int(LOGIN_UID.read_text())
    except (OSError, ValueError):
        return ""
    return "" if uid == _NO_LOGIN else _name_of(uid)
