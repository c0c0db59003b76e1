"""What somebody new to the demo may try: a line at a time, and states that are hard to reach."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from tui.keys import CONFIRM, Keymap


class TipBook(Protocol):
    """How many tips were dismissed, on this host and before."""

    @property
    def dismissed(self) -> int:
        """So many, the first ones."""

    def dismiss(self) -> None:
        """One more."""


def demo_tips(keymap: Keymap) -> tuple[str, ...]:
    """The lines, in the order in which they are shown."""
    key = keymap.key
    commands, all_back, yes = key("palette"), key("rollback_all"), CONFIRM
    return (
        f"{key('help')} help, {commands} commands; try {commands}error-spike,"
        f" then {all_back} {yes}",
        f"try {commands}healthy, then {key('promote')} {yes}: it promotes and verifies;"
        f" {key('gates')} shows the gates",
        f"try {commands}show: it brings you to states that are hard to reach",
    )


class DemoState(msgspec.Struct, frozen=True):
    """A state of the console by name: the scenario that leads to it, and what to do then."""

    name: str
    scenario: str
    then: str


_STATES: Final = (
    ("roll back one stage", "slow-burn", "wait for the watch's hour to pass, then {step_back} y"),
    ("failed verification", "unhealthy", "press {verify}; {verification} shows the result"),
    ("running load test", "load-test", "press {load_test} y, then {load_test} again shows it"),
    ("final approval", "final-approval", "{palette}ab test, then {promote}: it asks for the name"),
    ("recovery", "stuck-operation", "press {rollback_all} y, then {recovery}"),
)


def demo_states(keymap: Keymap) -> tuple[DemoState, ...]:
    """The states, with today's keys in what to do."""
    return tuple(
        DemoState(name, scenario, then.format_map(keymap.names)) for name, scenario, then in _STATES
    )
