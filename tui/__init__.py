"""The Textual console: app, screens, keys, messages."""
