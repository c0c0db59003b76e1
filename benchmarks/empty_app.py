"""An empty Textual app: the floor under the console's first frame."""

from textual.app import App, ComposeResult
from textual.widgets import Static


class EmptyApp(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("nothing but this line " * 8)


if __name__ == "__main__":
    EmptyApp().run(mouse=False)
