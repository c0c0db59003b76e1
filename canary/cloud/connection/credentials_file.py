"""A credentials file: looked at before anything is made of it, for it says where and by what.

Its fields name the addresses at which it is exchanged, and may name a program that is run for it.
google.auth.default() is not asked where there is a file: it runs whatever is called `gcloud` on
PATH to learn a project that nobody here wants (0.5 s), and for an external account it exchanges a
token on its way, before anybody could have looked where.

Sources: google-auth 2, google/auth/_default.py, external_account.py, pluggable.py; AIP-4117 for
programs ("must be an absolute path").
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from canary.host.owners import find_weakness
from canary.rollout.text import sanitize

_MOST_BYTES: Final = 1_000_000
_UNIVERSE: Final = "googleapis.com"

_ADDRESSES: Final = (
    "token_uri",
    "token_url",
    "token_info_url",
    "revoke_url",
    "service_account_impersonation_url",
)
"""Fields in which a file says where it is exchanged; it may hold another one in itself."""


class Unusable(Exception):
    """Nothing can be made of the file; the text says why."""


def find_credentials_file() -> Path | None:
    """The file that Application Default Credentials are in; None: this host's own identity."""
    from google.auth import _cloud_sdk

    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if named:
        return Path(named)
    sdk: Any = _cloud_sdk  # google-auth has no types for these
    usual = Path(sdk.get_application_default_credentials_path())
    return usual if usual.is_file() else None


def read_credentials_file(path: Path) -> dict[str, Any]:
    """What is in it. Raises Unusable, and OSError; a pipe is not waited for."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Unusable(f"File {path} was not found.") from None
    with os.fdopen(fd, "rb") as file:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise Unusable("it is a directory")
        body = file.read(_MOST_BYTES) or b""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as exc:
        raise Unusable(f"File {path} is not a valid json file.") from exc
    if not isinstance(found, dict):
        raise Unusable("it is not what a credentials file holds")
    return found


def exchanged_at(info: Mapping[str, Any]) -> Iterator[str]:
    """Every address and domain at which a file, or one within it, is exchanged."""
    for name in _ADDRESSES:
        if isinstance(url := info.get(name), str) and url:
            yield url
    universe = info.get("universe_domain", _UNIVERSE)
    if universe != _UNIVERSE:  # its name stands in addresses that the library makes by itself
        yield f"https://{universe}"
    if isinstance(within := info.get("source_credentials"), Mapping):
        yield from exchanged_at(within)


def find_foreign_program(path: Path, info: Mapping[str, Any]) -> str:
    """Why the program that a file has run is not run: others could have written the file or the
    program; "" when it is, or none is named. Raises OSError.
    """
    source = info.get("credential_source")
    run = source.get("executable") if isinstance(source, Mapping) else None
    if not isinstance(run, Mapping):
        return ""
    try:
        words = shlex.split(str(run.get("command", "")))
    except ValueError as exc:
        return f"its program cannot be read ({exc})"
    if not words or not Path(words[0]).is_absolute():
        return "it names a program that is to be run, not by its absolute path"
    for each in (path, *(Path(word) for word in words if Path(word).is_absolute())):
        if (each == path or each.is_file()) and (found := find_weakness(each)) is not None:
            return f"it has a program run, and {sanitize(found.path, 200)} {found.said}"
    return ""


def make_credentials(info: Mapping[str, Any], scopes: tuple[str, ...]) -> Any:
    """Google's credentials of it; nothing is asked of anybody. Raises whatever google-auth does."""
    import google.auth
    import google.auth.credentials

    untyped: Any = google.auth
    # Without scopes: a person's login must not get any, and an external account asks nobody then.
    credentials, _ = untyped.load_credentials_from_dict(dict(info))
    return untyped.credentials.with_scopes_if_required(credentials, list(scopes))
