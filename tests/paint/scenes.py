"""What was last seen, for the tests of the first paint."""

from canary.paint.last_seen import LastSeen, Subject, subject_of

NOW = 1_790_000_000.0
SEEN = LastSeen(
    seen_at=NOW - 7_440,
    as_of=NOW - 7_450,
    names="ion-api → ion-api-canary",
    where="naeda-genesis/us-central1",
    is_local=False,
    theme="dark",
    state="HEALTHY",
    split="stage 2 of 5, 10 % canary",
    soak="soak 17 h 12 m / 24 h",
    change="oncall@bastion-2 promoted 5 % → 10 % at 2026-09-20 21:58:02Z",
)
SUBJECT: Subject = subject_of("/plans/canary.toml", b"a plan")
