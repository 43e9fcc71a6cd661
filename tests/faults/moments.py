"""Points at which a service can be stopped, by what it then sends to its database: see `wire.Stop`."""

from __future__ import annotations

CLAIM = b"EXECUTE mill_claim("
HEARTBEAT = b"RETURNING task.cancel_requested_at"
COMPLETION = b"EXECUTE mill_end("  # the first words of it
OUTPUTS = b"INSERT INTO output"  # of a completion: the job's row is held
PLAN = b"INSERT INTO task_need"  # of a probe's completion
PUBLICATION = b"SET published_at"
REAPING = b"released_stale"
COMMIT = b"COMMIT"
FIRST_WORDS = b"SET idle_in_transaction_session_timeout"  # of every new connection
