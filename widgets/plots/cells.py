"""The base of all widgets here: draws on a canvas and repaints only the cells that changed.

Textual repaints a whole widget when an attribute changes. Over a slow line that is what costs, so
`CellWidget` draws anew into a canvas, compares with the last, and calls `refresh(Region)` for the
spans that differ. Per-cell widgets and Rich renderables were measured at ten times the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Self, TypeVar

from rich.style import Style
from textual.color import Color
from textual.dom import DOMNode
from textual.events import Hide, Show
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.strip import Strip
from textual.widget import Widget

from themes import Palette, palette_of
from widgets.plots.canvas import Canvas

T = TypeVar("T")
_NEAR = 12


class bound(Reactive[T]):  # noqa: N801 - reads as textual's own `reactive` and `var`
    """An attribute that data is bound to: setting it redraws the cells that change, not more."""

    def __init__(self, default: T) -> None:
        super().__init__(default, layout=False, repaint=False, init=False)

    if not TYPE_CHECKING:  # its types are Textual's

        def __get__(self, obj: DOMNode | None, obj_type: type | None = None) -> T:
            """The value; without Textual's search for what would compute it."""
            if obj is not None and self.internal_name in obj.__dict__:
                return obj.__dict__[self.internal_name]
            return super().__get__(obj, obj_type)

    def __set__(self, obj: DOMNode, value: T) -> None:
        """Set the value and ask the widget to draw what changed; nothing for an equal one."""
        held, name = obj.__dict__, self.internal_name
        before = held.get(name)
        if name not in held or is_followed(type(obj), self.name):
            super().__set__(obj, value)
        elif before is not value and before != value:
            held[name] = value
        if held.get(name) is not before and isinstance(obj, CellWidget):
            obj.redraw()


@lru_cache(256)
def is_followed(kind: type[DOMNode], name: str) -> bool:
    """Whether a class has a method of its own for an attribute that is set: Textual finds it then.

    A snapshot goes to two dozen widgets, and hardly one of them has any.
    """
    return any(hasattr(kind, f"{verb}_{name}") for verb in ("validate", "watch", "compute"))


class CellHost:
    """An app that has its widgets drawn together, and sends the cells that changed by itself."""

    def draw_soon(self, widget: CellWidget) -> None:
        """Call `widget.draw_anew()` soon, and have what it returns on the screen."""
        raise NotImplementedError


class CellWidget(Widget):
    """A widget drawn cell by cell. Subclasses implement `draw` and declare `bound` attributes.

    `cells_repainted` and `regions_repainted` count what was asked to be repainted since mounting;
    tests hold the economy with them.
    """

    DEFAULT_CSS = """
    CellWidget { height: 1fr; width: 1fr; }
    """

    virtual_size: Reactive[Size] = Reactive(Size(0, 0), repaint=False)
    """Textual lays out all anew for a new one, as it may need a scrollbar: nothing scrolls here."""

    _retitles = _is_retitled = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._canvas: Canvas | None = None
        self._ground = Style.null()
        """The theme's background, as of the canvas: Textual leaves that of `render_line` alone."""
        self._redraw_asked = False
        self._is_drawn = False
        """Whether it was drawn since it was shown."""
        self.cells_repainted = 0
        self.regions_repainted = 0

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Draw the present attributes. Must cope with any size, down to 1×1."""
        raise NotImplementedError

    @property
    def palette(self) -> Palette:
        """The palette of the app's theme."""
        return palette_of(self.app.theme)

    def say_in_frame(self, title: str) -> None:
        """Put another title into the frame; its row alone is painted anew, none for the same."""
        if self.border_title == title:
            return
        self._retitles = True
        self.border_title = title
        self._retitles = False
        self._is_retitled = True
        self.redraw()

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """As Textual's, which would paint all of a widget for a new title."""
        if self._retitles:
            return self
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def forget_scales(self) -> None:
        """Choose scales anew: what is shown next doesn't follow upon what was shown before."""

    def redraw(self) -> None:
        """Draw anew soon; many calls in one message cost one drawing."""
        if self._redraw_asked or not self.is_mounted:
            return
        if self._canvas is None:
            # Nothing to compare with; what Textual has cached of this widget may be old. Without
            # any room inside, a refresh would only repaint the border.
            if self.outer_size.area and self.size.area:
                self.refresh()
            return
        self._redraw_asked = True
        host = self.app
        if isinstance(host, CellHost):
            host.draw_soon(self)
        else:
            self.call_next(self._draw_alone)

    def _draw_alone(self) -> None:
        self.refresh_spans(self.draw_anew())

    def refresh_spans(self, spans: Sequence[Region]) -> None:
        """Have Textual paint these spans of the content; nothing for none."""
        if spans:
            self.refresh(*spans)

    def draw_anew(self) -> Sequence[Region]:
        """Draw the present attributes; the spans of cells that differ from what was drawn before,
        the frame's first row among them where its title does.

        None where all of it has to be painted, which Textual was asked for then.
        """
        self._redraw_asked = False
        before = self._canvas
        if before is None or self.size != (before.width, before.height):
            # Restyled or resized between asking and now: Textual may still hold the old rows.
            self._canvas = None
            if self.size.area:
                self.refresh()
            return ()
        if not self.visible_region_known():
            self._canvas = None
            return ()
        after = self._paint(before.width, before.height)
        self._canvas = after
        spans = changed_regions(before, after)
        self.regions_repainted += len(spans)
        self.cells_repainted += sum(span.width for span in spans)
        if self._is_retitled:
            self._is_retitled = False
            spans.append(Region(0, 0, self.outer_size.width, 1).translate(-self.content_offset))
        return spans

    def notice_written(self, at: float) -> None:
        """Its cells as last drawn go to the terminal now; `at` by the clock that stamps keys."""

    def strip(self, span: Region) -> Strip:
        """The cells of a span of one row, as they were last drawn."""
        canvas = self._canvas
        if canvas is None:
            return Strip.blank(span.width, self._ground)
        return Strip(canvas.segments(span.y, self._ground, span.x, span.right), span.width)

    def visible_region_known(self) -> bool:
        """Whether the widget is on the screen; what nobody sees is not drawn."""
        return self.is_on_screen

    def _paint(self, width: int, height: int) -> Canvas:
        canvas = Canvas(width, height)
        if width > 0 and height > 0:
            self.draw(canvas, self.palette)
        # Once for a picture, not for each of its rows: Textual asks every widget above for it.
        self._ground = ground_style(self.background_colors[1])
        return canvas

    def render_line(self, y: int) -> Strip:
        """One row of the canvas, drawn first when there is none of this size."""
        width, height = self.size
        canvas = self._canvas
        if canvas is None or (canvas.width, canvas.height) != (width, height):
            canvas = self._canvas = self._paint(width, height)
            self._is_drawn = True
        if not 0 <= y < canvas.height:
            return Strip.blank(width, self._ground)
        return Strip(canvas.segments(y, self._ground), width)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters, less the one for ANSI colours: where it is on, ours are all exact."""
        filters = super().get_line_filters()
        return [one for one in filters if not isinstance(one, ANSIToTruecolor)]

    def on_hide(self, event: Hide) -> None:  # noqa: ARG002 - Textual's signature
        """What is drawn now is old when it is shown again."""
        self._canvas = None
        self._is_drawn = False
        self.refresh()

    def on_show(self, event: Show) -> None:  # noqa: ARG002 - Textual's signature
        """Shown, and hidden before: to be drawn, unless the layout that shows it has done so."""
        if not self._is_drawn:
            self._canvas = None
            self.refresh()

    def notify_style_update(self) -> None:
        """A new theme or state: every cell may differ."""
        self._canvas = None
        super().notify_style_update()

    def plain_text(self) -> str:
        """What is drawn, without styles; draws at the present size."""
        canvas = self._paint(*self.size)
        return "\n".join(canvas.lines())


@lru_cache(16)
def ground_style(background: Color) -> Style:
    """Cells on a background; nothing where the terminal's own is kept (ANSI themes)."""
    color = background.rich_color
    return Style.null() if color.is_default else Style(bgcolor=color)


def changed_regions(before: Canvas, after: Canvas) -> list[Region]:
    """The spans of cells that differ, row by row.

    Two changes with less than `_NEAR` cells between them are one span: to write those cells again
    costs fewer bytes than a second cursor movement with its colours.
    """
    regions: list[Region] = []
    for y in range(min(before.height, after.height)):
        old_chars, new_chars = before.chars[y], after.chars[y]
        old_styles, new_styles = before.styles[y], after.styles[y]
        if old_chars == new_chars and old_styles == new_styles:
            continue
        cells = enumerate(zip(old_chars, new_chars, old_styles, new_styles, strict=True))
        # Nearly all styles are the same object: to compare them otherwise takes ten times as long.
        changed = [x for x, (a, b, c, d) in cells if a != b or (c is not d and c != d)]
        for first, last in _join_near(changed):
            first = _whole_char(old_chars, new_chars, first)
            regions.append(Region(first, y, last - first + 1, 1))
    return regions


def _join_near(cells: list[int]) -> list[tuple[int, int]]:
    """Ascending columns → (first, last) of each stretch without a wide gap."""
    spans: list[tuple[int, int]] = []
    for x in cells:
        if spans and x - spans[-1][1] <= _NEAR:
            spans[-1] = (spans[-1][0], x)
        else:
            spans.append((x, x))
    return spans


def _whole_char(old: list[str], new: list[str], x: int) -> int:
    """The empty cell behind a wide character belongs to the character before it."""
    return x - 1 if x > 0 and (old[x] == "" or new[x] == "") else x
