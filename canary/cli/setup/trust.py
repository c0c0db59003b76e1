"""`canary trust`: which hosts may have credentials, and which plans may act."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
import msgspec

from canary.cli.opening import known_names
from canary.cli.options import WholeNumber, json_option
from canary.cli.output import print_json, say
from canary.host.home import expand_home
from canary.host.owners import find_weakness
from canary.host.plans import demand_apart, describe_trusted, plan_key
from canary.host.trust import TRUST_FILE, Trust, change_trust, config_dir, read_trust
from canary.rollout.errors import RecordError, UsageError
from canary.rollout.plan.file import decode_plan, read_plan
from canary.rollout.plan.hosts import foreign_hosts, is_google_host, normalize_host
from canary.rollout.text import sanitize

_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?|[0-9a-f:.]{2,45}")


@click.group()
def trust() -> None:
    """Say what you trust: hosts beside Google's, for your credentials, and plans of others.

    Kept in trust.toml in your own config directory ($CANARY_CONFIG_DIR, else the platform's).
    """


@trust.command(name="host", short_help="Let your credentials go to a host beside Google's.")
@click.argument("name")
def trust_host(name: str) -> int:
    """Let your credentials go to a host that is none of Google's, over https."""
    host = _read_host(name)
    if is_google_host(host):
        say(f"{host} is one of Google's hosts: it needs no trust.")
        return 0
    change_trust(
        lambda known: msgspec.structs.replace(
            known, hosts=tuple(dict.fromkeys((*known.hosts, host)))
        )
    )
    say(f"{host} is trusted: what plans name there gets your credentials, over https.")
    say(f"Kept in {_place()}; `canary trust remove {host}` ends that.")
    return 0


@trust.command(name="plan", short_help="Let a plan act that others could have written.")
@click.argument("path", type=click.Path(path_type=Path))
def trust_plan(path: Path) -> int:
    """Let a plan act that others could have written, and its programs, as they are now.

    A change of either is asked for anew.
    """
    body = read_plan(path)
    plan = decode_plan(body, sanitize(path, 200), known_names())
    demand_apart(path.absolute())
    try:
        kept = describe_trusted(body, plan)
    except OSError as exc:
        raise RecordError(f"A program of the plan cannot be read: {exc}.") from exc
    key, target = plan_key(path), plan.target
    change_trust(lambda known: msgspec.structs.replace(known, plans={**known.plans, key: kept}))
    say(f"{sanitize(key, 300)} is trusted as it is now (as of {kept.sha256[:12]}):")
    say(f"  {sanitize(target.project, 100)}/{sanitize(target.region, 60)}, {plan.name}")
    for program in kept.programs:
        say(f"  it may run {sanitize(program, 300)}")
    for host in foreign_hosts(target.endpoints):
        say(f"  it names the host {host}, which is trusted by `canary trust host` alone")
    return 0


@trust.command(name="directory", short_help="Let plans write results below a directory.")
@click.argument("path", type=click.Path(path_type=Path))
def trust_directory(path: Path) -> int:
    """Let plans have results and records written below a directory outside their own."""
    directory = expand_home(str(path), "the directory").absolute()
    found = find_weakness(directory) if directory.is_dir() else None
    if not directory.is_dir() or ".." in directory.parts:
        raise UsageError(f"{sanitize(path, 300)} is no directory.")
    if found is not None:
        said = f"{sanitize(found.path, 300)} {found.said}: it is not for results."
        raise UsageError(said, remedy=found.remedy)
    key = str(directory)
    change_trust(
        lambda known: msgspec.structs.replace(
            known, directories=tuple(dict.fromkeys((*known.directories, key)))
        )
    )
    say(f"{sanitize(key, 300)} is trusted: plans may have files written below it.")
    return 0


@trust.command(name="port", short_help="Believe whoever listens on a port of this machine.")
@click.argument("number", type=WholeNumber(1, 65535))
def trust_port(number: int) -> int:
    """Believe whoever listens on a port of this machine, another user's process as well.

    A plan's plain http on loopback goes there: figures come from it, and a secret may go to it.
    """
    change_trust(
        lambda known: msgspec.structs.replace(
            known, ports=tuple(dict.fromkeys((*known.ports, number)))
        )
    )
    say(f"Port {number} of this machine is trusted, whoever listens there.")
    return 0


@trust.command(name="list")
@json_option
def list_trusted(as_json: bool) -> int:
    """Show what is trusted."""
    known = read_trust()
    if as_json:
        print_json(msgspec.to_builtins(known))
        return 0
    if not (known.hosts or known.plans or known.directories or known.ports):
        say(f"Nothing is trusted beside Google's hosts and your own files ({_place()}).")
    for host in known.hosts:
        say(f"host  {sanitize(host, 300)}")
    for directory in known.directories:
        say(f"directory  {sanitize(directory, 300)}")
    for port in known.ports:
        say(f"port  {port}")
    for path, plan in known.plans.items():
        say(f"plan  {sanitize(path, 300)}  (as of {sanitize(plan.sha256, 12)})")
    return 0


@trust.command(name="remove")
@click.argument("name")
def remove_trusted(name: str) -> int:
    """Trust a host, plan, directory or port no more. A running console keeps what it began with."""
    names = {name, normalize_host(name), plan_key(Path(name)), str(Path(name).absolute())}

    def without(known: Trust) -> Trust:
        hosts = tuple(host for host in known.hosts if host not in names)
        plans = {path: plan for path, plan in known.plans.items() if path not in names}
        directories = tuple(each for each in known.directories if each not in names)
        ports = tuple(each for each in known.ports if str(each) not in names)
        if Trust(hosts, plans, directories, ports) == known:
            raise UsageError(
                f"{sanitize(name, 200)} is not trusted.", remedy="`canary trust list` shows all."
            )
        return Trust(hosts, plans, directories, ports)

    change_trust(without)
    say(f"{sanitize(name, 300)} is trusted no more.")
    return 0


def _read_host(name: str) -> str:
    """A host's name, from a name or an address. Raises UsageError for anything else."""
    try:
        parts = urlsplit(name if "://" in name else f"https://{name}")
        host = normalize_host(parts.hostname or "")
        odd = parts.path.strip("/") or "@" in parts.netloc
    except ValueError:
        host, odd = "", "x"
    if odd or not _HOST.fullmatch(host):
        raise UsageError(
            f"{sanitize(name, 100)} is no name of a host.",
            remedy="Give it as run.example.internal, without a path.",
        )
    return host


def _with_host(known: Trust, host: str) -> Trust:
    return msgspec.structs.replace(known, hosts=tuple(dict.fromkeys((*known.hosts, host))))


def _place() -> str:
    return sanitize(config_dir() / TRUST_FILE, 300)
