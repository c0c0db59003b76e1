"""One file for each outside service. Translates; decides nothing."""
