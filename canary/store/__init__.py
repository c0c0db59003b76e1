"""What is kept on this host, beside the cloud, which is the authority on where a rollout stands.

In: changes, samples, evidence, ticks, results. Out: the same, as frozen values of `rollout`, also
from files that an older version wrote (`tests/store/old`).

- `journal` (with `entries`): the intent before the act, what was noted, how it ended. It is the
  hand-over from a console to its executor, and the one file a change cannot do without.
- `history`, `evidence`: caches of observations. `sent_notifications`, `procedure_records`: small
  records beside them. All are a `database.Record`: one SQLite file, its errors in one sentence.
- `recording`: what was shown, for the replay; a copy that nothing rests on.
- `locks`: who lives, who may; `presence` and `monitoring` show it to others.
- `outputs`, `results`, `ab_results`, `monitor_files`: files for people, written and read.
- `stage_file`: rollout.toml, and git. `paths`: where all of it is.

Everything that can go wrong with a file is a RecordError.
"""
