"""What is kept on this host: the journal of changes and the history of observations."""
