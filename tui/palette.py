"""The command palette: every action, window, theme, scale preset and scenario by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, NamedTuple

from textual import on
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.css.query import NoMatches
from textual.fuzzy import Matcher
from textual.widgets import Input
from textual.worker import Worker

from canary.rollout.text import sanitize
from tui.commands import Commands
from tui.keys import ACTIONS, not_now
from tui.pages.layout import WINDOWS
from tui.pages.tips import demo_states


class Entry(NamedTuple):
    """One line of the palette."""

    name: str
    run: Callable[[], None]
    help: str
    id: str = ""
    """The action's name in the table of keys, by which it is found too."""


def entries(commands: Commands) -> Iterator[Entry]:
    """All that can be done now; what cannot is listed with the reason."""
    yield from _actions(commands)
    yield from _stages(commands)
    yield from _scales(commands)
    for name, _ in WINDOWS:
        yield Entry(
            f"window {name}",
            partial(commands.look.set_window, name),
            "How far back the plots reach.",
        )
    for theme in commands.context.host.theme_names:
        yield Entry(
            f"theme {theme}", partial(commands.look.set_theme, theme), "The colours of the console."
        )
    yield from _demo(commands)


def _demo(commands: Commands) -> Iterator[Entry]:
    """What the local cloud can play, and the states that lie behind it; nothing on a real cloud."""
    scenarios = commands.context.host.scenarios()
    for name, about in scenarios.items():
        doc = f"{about[:1].upper()}{about[1:]}."
        yield Entry(f"scenario {name}", partial(commands.look.set_scenario, name), doc)
    for state in demo_states(commands.screen.keymap):
        if state.scenario in scenarios:
            doc = f"Scenario {state.scenario}; {state.then}."
            yield Entry(f"show {state.name}", partial(commands.look.show_state, state), doc)


def _actions(commands: Commands) -> Iterator[Entry]:
    for action in ACTIONS:
        if action.name == "palette":
            continue
        reason = commands.why_not(action.name)
        key = commands.screen.keymap.key(action.name)
        doc = f"{action.doc}  [{key}]" if key else action.doc
        note = f"{action.doc} {not_now(reason)}" if reason else doc
        yield Entry(action.command, partial(commands.do, action.name), note, action.name)


def _stages(commands: Commands) -> Iterator[Entry]:
    for index, stage in enumerate(commands.screen.plan.stages, 1):
        name = f"stage_{index}"
        reason = commands.why_not(name)
        if reason is None:
            at = commands.screen.snapshot.stage.index if commands.screen.snapshot else None
            way = "roll back" if at is not None and index < at else "promote"
            note = f"{way.capitalize()} to {stage.percent} % canary."
            yield Entry(f"stage {index}", partial(commands.do, name), note)


def _scales(commands: Commands) -> Iterator[Entry]:
    if commands.why_not("scale") is not None:
        return
    scale = commands.screen.plan.scale
    for side in ("legacy", "canary"):
        for name, preset in (("backup", scale.backup), ("production", scale.production)):
            wish = f"{side} {name}"
            yield Entry(
                f"scale {wish}",
                partial(commands.answer_prompt, "scale", wish),
                f"{preset.min} to {preset.max} instances",
            )


NAME_WIDTH = 26
_BY_SENTENCE = 0.01
"""Below every match of a name."""


def line(name: Content, note: str) -> Content:
    """An entry on one line: its name, and what it does or why it cannot, read second."""
    gap = " " * max(2, NAME_WIDTH - name.cell_length)
    return Content.assemble(name, gap, (sanitize(note), "dim"))


def score(entry: Entry, matcher: Matcher) -> float:
    """How well an entry fits: by its name, by that of its action, or by a word of its sentence."""
    by_name = matcher.match(entry.name)
    by_id = matcher.match(entry.id.replace("_", " ")) if entry.id else 0.0
    if by_name or by_id:
        return max(by_name, by_id)
    words = matcher.query.casefold().split()
    said = f"{entry.name} {entry.help}".casefold()
    return _BY_SENTENCE if words and all(word in said for word in words) else 0.0


def best(commands: Commands, query: str) -> Entry | None:
    """The entry that the palette would list first for `query`; None when nothing matches."""
    matcher = Matcher(query)
    found = max(entries(commands), key=lambda entry: score(entry, matcher))
    return found if score(found, matcher) > 0 else None


class CommandProvider(Provider):
    """Finds entries by their names and sentences. `commands` are those of its subclass."""

    commands: ClassVar[Commands]

    async def discover(self) -> Hits:
        """Everything, in the order of the keys."""
        for entry in entries(self.commands):
            yield DiscoveryHit(line(Content(entry.name), entry.help), entry.run, text=entry.name)

    async def search(self, query: str) -> Hits:
        """What matches."""
        matcher = self.matcher(query)
        for entry in entries(self.commands):
            found = score(entry, matcher)
            if found > 0:
                shown = line(matcher.highlight(entry.name), entry.help)
                yield Hit(found, shown, entry.run, text=entry.name)


class Palette(CommandPalette):
    """Textual's palette without its emoji and its spinner, and no wider than it needs."""

    DEFAULT_CSS = """
    Palette SearchIcon { display: none; }
    Palette LoadingIndicator { display: none; }
    Palette > Vertical { margin-top: 1; width: 100; max-width: 100%; }
    Palette #--input { padding: 0 1; border: none; border-bottom: solid $border; }
    Palette CommandList { max-height: 60vh; border: none; padding: 0 1; }
    """

    def __init__(self, commands: Commands) -> None:
        class Bound(CommandProvider):
            pass

        Bound.commands = commands
        super().__init__(providers=[Bound], placeholder="command …")
        self._console_commands = commands

    def run_worker(self, work: Any, *given: Any, **options: Any) -> Worker[Any]:
        """Run a search. One that is on its way when the palette, or the console below it, is left
        finds no list to fill: nobody waits for it, and it must not end the console.
        """

        async def search() -> Any:
            with suppress(NoMatches):
                return await work()

        return super().run_worker(search, *given, **options)

    @on(Input.Submitted)
    def run_what_was_typed(self, event: Input.Submitted) -> None:
        """Enter typed ahead of the list means what was typed.

        Left to itself, Textual would run what an older list has highlighted, or nothing.
        """
        query = event.value.strip()
        searching = any(w.node is self and not w.is_finished for w in self.workers)
        if not searching or not query:
            return
        event.stop()
        event.prevent_default()
        found = best(self._console_commands, query)
        if found is not None:
            self.workers.cancel_node(self)
            self.dismiss()
            self.app.call_later(found.run)
