"""SQLite: the journal of changes and the history of observations."""
