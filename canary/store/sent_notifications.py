"""What others were told on this host: shared by its consoles and executors, so that nobody tells
the same thing twice. Nothing rests on it; it may be thrown away.
"""

from __future__ import annotations

from canary.store.database import Record, Schema

KEPT_S = 7 * 86_400.0

SCHEMA = Schema(
    what="memory of sent notifications",
    application_id=0x43416E31,  # "CAn1"
    version=1,
    statements=(
        "CREATE TABLE told (key TEXT PRIMARY KEY, at REAL NOT NULL)",
        "CREATE TABLE verdict (one INTEGER PRIMARY KEY CHECK (one = 1), verdict TEXT NOT NULL)",
    ),
    durable=False,
)


class SentNotifications(Record):
    """The memory. Times are this host's wall clock: the limit is for the people who read it."""

    schema = SCHEMA

    def claim(self, key: str, now: float, every_s: float) -> bool:
        """Whether `key` may be told now, by the caller alone: not told within `every_s` before."""
        with self._database.writing() as db:
            row = db.execute("SELECT at FROM told WHERE key = ?", (key,)).fetchone()
            # Told in the future: the clock was set back, and the limit must not last for ever.
            if row is not None and now - every_s < row[0] <= now:
                return False
            db.execute("INSERT OR REPLACE INTO told (key, at) VALUES (?, ?)", (key, now))
            db.execute("DELETE FROM told WHERE at < ?", (now - KEPT_S,))
        return True

    def turn(self, verdict: str) -> str | None:
        """Note the verdict; the one before it, None when it is the first or the same."""
        with self._database.writing() as db:
            row = db.execute("SELECT verdict FROM verdict").fetchone()
            db.execute("INSERT OR REPLACE INTO verdict (one, verdict) VALUES (1, ?)", (verdict,))
        return None if row is None or row[0] == verdict else str(row[0])
