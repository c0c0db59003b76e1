"""The keys as data: what each is called, what it does, which key it is on by default.

`plan.console.keys` rebinds by name. A key is written as it is typed (`p`, `R`, `?`) or by its name
(`ctrl+p`, `f5`, `enter`). Drawing and dispatch both read this table, so that help, the key bar and
what happens cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from canary.rollout.errors import PlanError
from canary.rollout.plan.plan import Plan

if TYPE_CHECKING:
    from textual.events import Key

Group = Literal["change", "safety", "procedure", "look", "session"]
ASKING: Final = ("change", "safety", "procedure")
"""Groups whose actions ask before they act, and can be impossible: then help says why."""

CONFIRM: Final = "y"
"""Confirms what the strip shows. Not rebindable: it must differ from every key that opens one."""
LEAVE: Final = ("escape", "n")
"""Leave the strip with nothing done. Not rebindable."""


class Action(msgspec.Struct, frozen=True):
    """One thing a key can do.

    `keys` are the defaults (none: the palette finds it by its name), `label` the word in the key
    bar ("" keeps it out), `always` keeps it there when room is short, `doc` is one sentence for
    help and palette.
    """

    name: str
    keys: tuple[str, ...]
    doc: str
    group: Group
    label: str = ""
    always: bool = False

    @property
    def command(self) -> str:
        """What the palette calls it: its name unless people say otherwise."""
        return _COMMANDS.get(self.name) or self.name.replace("_", " ")


_COMMANDS: Final = {
    "step_back": "roll back one stage",
    "rollback_all": "roll back all",
    "readiness": "rollback readiness",
    "guard": "automatic rollback",
    "cancel_guard": "stop automatic rollback",
    "withdraw": "withdraw a change",
    "dismiss_proof": "dismiss the proof",
    "look_up": "check status",
    "acknowledge": "dismiss the result",
}

ACTIONS: Final[tuple[Action, ...]] = (
    Action("promote", ("p",), "Go on to the next stage.", "change", "promote"),
    Action("step_back", ("r",), "Roll back one stage.", "change", "one stage"),
    Action("rollback_all", ("R",), "Roll back all now.", "change", "roll back all", True),
    Action("scale", ("s",), "Set least and most instances of a side.", "change", "scale"),
    Action("adopt", ("a",), "Take a split that was changed elsewhere into the record.", "change"),
    Action("revert", ("u",), "Set a split that was changed elsewhere back.", "change"),
    Action("readiness", ("b",), "Show whether all traffic could leave Canary now.", "safety"),
    Action("guard", ("A",), "Arm automatic rollback, or disarm it.", "safety"),
    Action("cancel_guard", ("c",), "Stop the countdown of automatic rollback.", "safety"),
    Action("withdraw", ("W",), "Withdraw a change that waits for Cloud Run.", "safety"),
    Action("dismiss_proof", ("N",), "Dismiss the proof that Canary is worse.", "safety"),
    Action("hold", ("h",), "Hold the rollout: nobody promotes; or release it.", "safety"),
    Action("recovery", ("o",), "Show the changes whose end is not known.", "safety"),
    Action("look_up", ("i",), "Check the status of such a change.", "safety"),
    Action("resume", ("G",), "Resume such a change; it never acts twice.", "safety"),
    Action("abandon", ("D",), "Abandon such a change; what was sent stays.", "safety"),
    Action(
        "verify",
        ("v",),
        "Verify health, the split as measured, both sides compared.",
        "procedure",
        "verify",
    ),
    Action("verification", ("V",), "Show the last verification.", "procedure"),
    Action(
        "checklist", ("l",), "Show the checklist of the stage; tick it.", "procedure", "checklist"
    ),
    Action("load_test", ("L",), "Begin the load test, or show the one that runs.", "procedure"),
    Action("stop", ("x",), "Stop the verification or the load test that runs.", "procedure"),
    Action("ab_test", (), "Ask BigQuery for the A/B test, and show it.", "procedure"),
    Action("monitoring", (), "Show the monitoring loop.", "procedure"),
    Action(
        "start_monitoring",
        (),
        "Start the monitoring loop; it replaces the one that runs.",
        "procedure",
    ),
    Action("stop_monitoring", (), "Stop the monitoring loop.", "procedure"),
    Action("approval", (), "Show the final approval and its steps.", "procedure"),
    Action("retirement", (), "Show the calendar of Legacy's retirement.", "procedure"),
    Action("retire", (), "Delete Legacy and its images, from day 31 on.", "procedure"),
    Action("alerts", (), "Compare the alert policies with the plan.", "procedure"),
    Action("apply_alerts", (), "Write the alert policies as the plan says.", "procedure"),
    Action("fleet", ("F",), "Show every rollout; Enter there opens one.", "look"),
    Action(
        "gates", ("g",), "Show the gates to the next stage with their evidence.", "look", "gates"
    ),
    Action("note", ("m",), "Mark this moment for everybody, with a note or without.", "session"),
    Action("failures", ("f",), "Show what fails in Canary and not in Legacy.", "look"),
    Action("differences", ("d",), "Show what Canary runs otherwise than Legacy.", "look"),
    Action("evidence", ("E",), "Show the evidence: Canary compared with Legacy.", "look"),
    Action("events", ("e",), "Show more of the events.", "look"),
    Action("window", ("w",), "Change how far back the plots reach.", "look", "window"),
    Action("zoom", ("z",), "Let one panel fill the screen.", "look", "zoom"),
    Action("next_panel", ("tab",), "Go to the next panel.", "look"),
    Action("previous_panel", ("shift+tab",), "Go to the panel before.", "look"),
    Action("filter", ("/",), "Show only the events that contain a word.", "look"),
    Action("refresh", ("f5", "ctrl+l"), "Look at the cloud now, and draw the screen anew.", "look"),
    Action("replay", ("T", ","), "Go into the past: replay what was shown.", "look"),
    Action("theme", ("t",), "Change the colours.", "look"),
    Action("handover", ("H",), "Copy a handover of the last 8 h for the next shift.", "session"),
    Action("copy", ("y",), "Copy a summary of what is on the screen.", "session"),
    Action("acknowledge", ("enter",), "Dismiss the result of a change.", "session"),
    Action("help", ("?",), "Show all keys.", "session", "help", True),
    Action("palette", (":", "ctrl+p"), "Find any command by its name.", "session", "command", True),
    Action("suspend", ("ctrl+z",), "Go back to the shell for a while.", "session"),
    Action("quit", ("q", "ctrl+q"), "Leave the console.", "session", "quit", True),
)

QUESTIONS: Final = frozenset({a.name for a in ACTIONS if a.group == "change"} | {"load_test"})
"""The actions that ask before they do anything."""

OLD_NAMES: Final = {"way_back": "readiness"}
"""Names of actions in plans of earlier versions → today's."""

STAGE_DOC: Final = "Go to that stage: back to an earlier one, or on to the next."
RESERVED: Final = frozenset({"escape", "ctrl+c", "space", "up", "down", "pageup", "pagedown"})
_NAMED: Final = re.compile(
    r"(ctrl|alt)\+[a-z]|shift\+tab|f([1-9]|1[0-9]|2[0-4])"
    r"|enter|tab|insert|delete|home|end|backspace|left|right"
)


def is_possible_at_first(action: Action) -> bool:
    """Whether an action of the key bar can do something before the cloud was looked at.

    What changes the rollout waits for that. The bar of the first frame is drawn by this; afterwards
    by `tui.commands`, which is read then and says the same (a test looks).
    """
    return action.group != "change"


def not_now(reason: str) -> str:
    """Why an action can do nothing now, behind what it does; a block says so itself."""
    return reason if reason.startswith("Blocked:") else f"Not now: {reason}"


class Keymap:
    """Which key does what, after the plan's rebinding. Immutable after construction."""

    def __init__(self, bound: Mapping[str, tuple[str, ...]], stages: int) -> None:
        self._keys = dict(bound)
        self._actions = {key: name for name, keys in bound.items() for key in keys}
        self._stages = min(stages, 9)

    def action(self, key: str) -> str | None:
        """The name of what `key` does; `stage_N` for a digit of a stage; None when nothing."""
        name = self._actions.get(key)
        if name is None and self._is_stage(key):
            return f"stage_{key}"
        return name

    def asks(self, key: str) -> bool:
        """Whether `key` opens a question of its own: such a key leaves the one that is open."""
        name = self.action(key)
        return name is not None and (name in QUESTIONS or name.startswith("stage_"))

    def key(self, name: str) -> str:
        """The first key of an action, as it is shown; "" for one that is on no key."""
        keys = self._keys[name]
        return keys[0] if keys else ""

    @property
    def names(self) -> dict[str, str]:
        """Every action that is on a key → that key."""
        return {name: keys[0] for name, keys in self._keys.items() if keys}

    def shown(self, name: str) -> str:
        """All keys of an action for help: "f5, ctrl+l"."""
        return ", ".join(self._keys[name])

    @property
    def stage_keys(self) -> str:
        """The digits that go to a stage and were not rebound: "1…5"; "" when none is left."""
        free = [str(i) for i in range(1, self._stages + 1) if str(i) not in self._actions]
        if not free:
            return ""
        contiguous = len(free) > 1 and int(free[-1]) - int(free[0]) == len(free) - 1
        return f"{free[0]}…{free[-1]}" if contiguous else " ".join(free)

    def _is_stage(self, key: str) -> bool:
        return len(key) == 1 and key in "123456789" and int(key) <= self._stages


def as_written(event: Key) -> str:
    """A key that was pressed, as the table writes it."""
    return event.character if event.is_printable and event.character else event.key


def bind(plan: Plan) -> Keymap:
    """The keymap of a plan. Raises PlanError naming the key of canary.toml that cannot be."""
    bound = {a.name: a.keys for a in ACTIONS}
    chosen = _renamed(plan.console.keys)
    for name, key in chosen.items():
        _check(name, key)
        bound[name] = (key,)
    for key, name, other in _clashes(bound, chosen):
        raise PlanError(
            f"console.keys.{name}: {key!r} is already the key of {other}.",
            remedy=f"Choose another key, or rebind {other} as well.",
        )
    return Keymap(bound, len(plan.stages))


def _renamed(chosen: Mapping[str, str]) -> dict[str, str]:
    """The plan's keys by today's names; where both names are there, today's wins."""
    old = {OLD_NAMES[name]: key for name, key in chosen.items() if name in OLD_NAMES}
    return old | {name: key for name, key in chosen.items() if name not in OLD_NAMES}


def _check(name: str, key: str) -> None:
    if all(action.name != name for action in ACTIONS):
        raise PlanError(
            f"console.keys.{name}: there is no such action.",
            remedy=f"The actions are {', '.join(a.name for a in ACTIONS)}.",
        )
    found = _find_wrong(name, key)
    if found is not None:
        wrong, due = found
        raise PlanError(f"console.keys.{name}: {key!r} {wrong}.", remedy=f"{due}.")


def _find_wrong(name: str, key: str) -> tuple[str, str] | None:
    """What is wrong with a key for an action, and what to do; None: nothing."""
    if key in RESERVED:
        return "cannot be rebound", "Choose another key"
    typed = len(key) == 1 and key.isprintable() and not key.isspace()
    if not typed and not _NAMED.fullmatch(key):
        due = 'Write one character as it is typed ("p", "R") or a name ("ctrl+p", "f5")'
        return "is not a key", due
    asks = any(action.name == name and action.group in ASKING for action in ACTIONS)
    if asks and key in (CONFIRM, *LEAVE):
        due = "A change and its confirmation need different keys"
        return f"answers the question that {name} asks", due
    return None


def key_mistakes(keys: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a plan's keys, beside the default keys of all other actions too: (action,
    what is wrong, what is due). Every command says it: one that only reads the plan shares it with
    the console, which could not be opened.
    """
    chosen = _renamed(keys)
    for name, key in chosen.items():
        found = _find_wrong(name, key)
        if found is not None:
            yield name, f'is "{key}", which {found[0]}', "another key"
    bound = {a.name: a.keys for a in ACTIONS} | {name: (key,) for name, key in chosen.items()}
    for key, name, other in _clashes(bound, chosen):
        yield (
            name,
            f'is "{key}", the key of {other} too',
            f"another key, or one for {other} as well",
        )


def _clashes(
    bound: Mapping[str, tuple[str, ...]], chosen: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """(key, rebound action, other action) wherever two actions want one key."""
    for name, key in chosen.items():
        for other, keys in bound.items():
            if other != name and key in keys:
                yield key, name, other
