"""`canary init`: write a commented plan, from flags or questions; without any, the shipped one."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
import msgspec

from canary.cli.opening import DEFAULT_NAME, known_names
from canary.cli.options import chosen_config, json_option
from canary.cli.output import complain, print_json, say
from canary.cli.setup.plan_text import DEFAULTS, OF_PROMETHEUS, ROUTERS, Choices, render_plan
from canary.host.home import expand_home
from canary.host.owners import make_directories
from canary.rollout.errors import PlanError, UsageError
from canary.rollout.plan.confidence_presets import PRESETS
from canary.rollout.plan.file import MAX_BYTES, parse_plan, read_at_most
from canary.rollout.text import sanitize

QUESTIONS: Final = {
    "env": (("variable", "Variable that holds the share"),),
    "revisions": (("candidate", "Tag or name of the candidate revision"),),
    "url-map": (
        ("url_map", "URL map of the load balancer"),
        ("legacy_backend", "Legacy's backend service"),
        ("canary_backend", "Canary's backend service"),
    ),
    "command": (
        ("set", "Command that sets the share, with {percent} in it"),
        ("read", "Command that prints the share (empty: what was recorded counts)"),
    ),
}
"""What each router is asked about."""

SOURCES: Final = ("monitoring", "prometheus")
SERIES: Final = ("otel", "cloud-run", "custom")
AUTHS: Final = ("none", "google", "bearer", "basic")
SECRETS: Final = {
    "bearer": (("secret_env", "Environment variable that holds the token"),),
    "basic": (
        ("username", "User"),
        ("secret_env", "Environment variable that holds the password"),
    ),
}
SELECTORS: Final = (
    ("requests", "Selector of the requests' counter, with {side} in it"),
    ("latency", "Selector of the latency's buckets, with {side} (empty: none)"),
)
"""What a Prometheus is asked about, where the answers before call for it."""


@click.command()
@click.argument("file", required=False)
@click.option("--provider", type=click.Choice(["local", "gcp"]))
@click.option("--project", metavar="ID")
@click.option("--region", metavar="NAME")
@click.option("--legacy", metavar="SERVICE", help="The service that takes the traffic today.")
@click.option("--canary", metavar="SERVICE", help="The service that is to take it.")
@click.option("--router", type=click.Choice(ROUTERS), help="How the share is set.")
@click.option("--variable", metavar="NAME", help="The variable that holds the share (router env).")
@click.option("--candidate", metavar="TAG", help="Tag or name of the candidate (router revisions).")
@click.option("--url-map", metavar="NAME", help="The load balancer's URL map (router url-map).")
@click.option("--legacy-backend", metavar="NAME", help="Legacy's backend service (router url-map).")
@click.option("--canary-backend", metavar="NAME", help="Canary's backend service (router url-map).")
@click.option("--set", metavar="COMMAND", help="Sets {percent}, without a shell (router command).")
@click.option("--read", metavar="COMMAND", help="Prints the present share (router command).")
@click.option("--confidence", type=click.Choice(list(PRESETS)), help="Where the score comes from.")
@click.option("--source", type=click.Choice(SOURCES), help="Of requests and latency.")
@click.option("--url", metavar="URL", help="The Prometheus API, without /api/v1.")
@click.option("--auth", type=click.Choice(AUTHS), help="How the Prometheus is logged in to.")
@click.option("--secret-env", metavar="NAME", help="The variable with its token or password.")
@click.option("--username", metavar="NAME", help="With --auth basic.")
@click.option("--preset", type=click.Choice(SERIES), help="Which series the Prometheus has.")
@click.option("--requests", metavar="SELECTOR", help="With --preset custom: the counter, {side}.")
@click.option("--latency", metavar="SELECTOR", help="With --preset custom: buckets, {side}.")
@click.option("--config", "-c", metavar="FILE", help="Where to write it; ./canary.toml if absent.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing: what is not given has its default.")
@json_option
def init(
    file: str | None, config: str | None, force: bool, yes: bool, as_json: bool, **given: str | None
) -> int:
    """Write a commented plan to FILE, or ./canary.toml. Asks what was not given at a terminal."""
    path = expand_home(file or chosen_config(config) or DEFAULT_NAME, "the file")
    # Looked at before the questions: nobody answers eight of them to be refused.
    if path.exists() and not force:
        raise UsageError(
            f"{sanitize(path, 200)} is there already and was left as it is.",
            remedy="Use --force to overwrite it, or name another file.",
        )
    _demand_place(path)
    asked = not (yes or as_json) and sys.stdin.isatty()
    known = {name: value for name, value in given.items() if value is not None}
    if asked:
        _judge({**_stand_ins(known), **known})  # what was given wrongly is not asked for again
        known = _ask(known)
    choices = _choose(known)
    text = render_plan(choices)
    parse_plan(text, "the plan from these answers", known_names())
    _write(path, text, force)
    if as_json:
        print_json({"file": str(path.absolute()), "provider": choices.provider})
    else:
        _say_next(path, choices)
    return 0


def _say_next(path: Path, choices: Choices) -> None:
    """What was written, what the score takes, and the commands that come next."""
    say(f"Wrote {sanitize(path, 200)}.")
    if choices.provider == "gcp":
        preset = PRESETS[choices.confidence]
        say(f"The confidence score: {preset.about}.")
        for line in preset.lines:
            say(f"  {line}")
    if choices.source == "prometheus":
        _say_of_prometheus(choices)
    config = "" if path.name == DEFAULT_NAME else f" --config {shlex.quote(sanitize(path, 200))}"
    if choices.provider == "gcp":
        say(f"next: `gcloud auth application-default login`, then `canary doctor{config}`")
    else:
        say(f"next: `canary{config}` opens the console; `canary doctor{config}` looks at all of it")


def _say_of_prometheus(choices: Choices) -> None:
    """What stands in no plan: the secret, and which host may get it."""
    say(f"Requests and latency: the Prometheus at {sanitize(choices.url, 200)}.")
    if choices.auth in ("bearer", "basic"):
        say(f"  export {choices.secret_env}=…   # the secret; it stands in no plan")
    host = urlsplit(choices.url).hostname or ""
    if choices.auth != "none" and not host.endswith(".googleapis.com"):
        say(f"  canary trust host {sanitize(host, 200)}   # it may be given the secret")


def _ask(given: dict[str, str]) -> dict[str, str]:
    """What was not given, asked for one by one; what cannot matter is not asked, and what cannot
    be is asked again at once, with all answers before it kept.
    """
    answers = dict(given)
    _prompt(answers, "provider", "Cloud: local (embedded, to try it) or gcp", ["local", "gcp"])
    _prompt(answers, "project", "Project id")
    _prompt(answers, "region", "Region")
    _prompt(answers, "router", "Share set by", list(ROUTERS))
    _prompt(answers, "legacy", "Legacy service")
    _prompt(answers, "canary", "Canary service")
    for name, question in QUESTIONS[answers["router"]]:
        _prompt(answers, name, question)
    if answers["provider"] == "gcp":
        _prompt(answers, "source", "Requests and latency from", list(SOURCES))
        if answers["source"] == "prometheus":
            _ask_of_prometheus(answers)
    _prompt(answers, "confidence", "Confidence score by (log, custom, none)", list(PRESETS))
    return answers


def _ask_of_prometheus(answers: dict[str, str]) -> None:
    _prompt(answers, "url", "Address of the Prometheus API, without /api/v1")
    _prompt(answers, "auth", "Logging in there by", list(AUTHS))
    for name, question in SECRETS.get(answers["auth"], ()):
        _prompt(answers, name, question)
    _prompt(answers, "preset", "Series: otel, cloud-run (Google's managed), custom", list(SERIES))
    for name, question in SELECTORS if answers["preset"] == "custom" else ():
        _prompt(answers, name, question)


def _stand_ins(answers: Mapping[str, str]) -> dict[str, str]:
    """What stands for the answers that are still to come, so that one can be judged alone."""
    stand_ins = {"canary": f"{answers.get('legacy', DEFAULTS.legacy)}-canary"[:49]}
    if answers.get("router") == "command":
        stand_ins["set"] = "set-share {percent}"
    if answers.get("preset") == "custom":
        stand_ins["requests"] = "http_requests_total{{side}}"
    return stand_ins


def _judge(answers: Mapping[str, str]) -> None:
    """Raise PlanError or UsageError for answers that make no plan."""
    parse_plan(render_plan(_choose(answers)), "the plan from these answers", known_names())


def _choose(answers: Mapping[str, str]) -> Choices:
    """Commands are taken apart as a shell would. Raises UsageError where a quote is left open, and
    for a router `command` without a command.
    """
    commands: dict[str, tuple[str, ...]] = {
        name: _split(name, answers[name]) for name in ("set", "read") if name in answers
    }
    if answers.get("router") == "command" and not commands.get("set"):
        raise UsageError(
            "The router command needs the command that sets the share.",
            remedy="Give --set 'set-canary-share {percent}'.",
        )
    if answers.get("source") != "prometheus":
        lone = next((name for name in OF_PROMETHEUS if name in answers), None)
        if lone is not None:
            raise UsageError(
                f"--{lone.replace('_', '-')} is about a Prometheus.",
                remedy="Give --source prometheus beside it.",
            )
    chosen: dict[str, str | tuple[str, ...]] = {**answers, **commands}
    return msgspec.convert(chosen, Choices)


def _split(name: str, command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError as exc:
        raise UsageError(f"--{name}: {exc}.", remedy="Close the quote.") from exc


def _prompt(
    answers: dict[str, str], name: str, question: str, choices: list[str] | None = None
) -> None:
    if name in answers:
        return
    kind = click.Choice(choices) if choices else None
    stand_ins = {k: v for k, v in _stand_ins(answers).items() if k != "requests"}
    default = {**msgspec.structs.asdict(DEFAULTS), **stand_ins, "set": ()}[name]
    # Commands have none: the answer may be empty, and is then refused or left out.
    shown = default if isinstance(default, str) else ""
    while True:
        asked = click.prompt(question, default=shown, type=kind, show_default=bool(shown))
        tried = {**answers, name: asked} if asked or name == "set" else dict(answers)
        try:
            _judge({**_stand_ins(tried), **tried})
        except (PlanError, UsageError) as error:
            complain(f"{error.message.removeprefix('the plan from these answers: ')} Again:")
            continue
        answers.update(tried)
        return


def _demand_place(path: Path) -> None:
    """Raise UsageError where a link leads elsewhere, or where --force would overwrite what is no
    plan.
    """
    below = () if path.is_absolute() else path.parents[:-1]
    link = next((each for each in (path, *below) if each.is_symlink()), None)
    if link is not None:
        said = f"{sanitize(link, 200)} is a link: nothing is written through it."
        raise UsageError(said, remedy="Name the file itself.")
    try:
        body, _ = read_at_most(path, MAX_BYTES)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise UsageError(f"{sanitize(path, 200)} is no plan: {exc.strerror}.") from exc
    if body.strip() and not re.search(rb"(?m)^\s*\[target\b", body):
        said = f"{sanitize(path, 200)} is no plan, and was left as it is, --force or not."
        raise UsageError(said, remedy="Name another file.")


def _write(path: Path, text: str, force: bool) -> None:
    """Atomically, and without --force never over a file that came meanwhile."""
    try:
        # Not by the umask alone: a plan that others can write is only looked at.
        make_directories(path.parent, 0o755)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            if force:
                draft.replace(path)
            else:
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError as exc:
        raise UsageError(f"{sanitize(path, 200)} is there already.", remedy="Use --force.") from exc
    except OSError as exc:
        raise PlanError(f"{sanitize(path, 200)} cannot be written: {exc.strerror}.") from exc
