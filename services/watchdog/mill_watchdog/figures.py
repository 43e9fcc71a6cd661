"""What statistics go by: attempts that have ended are added up, and what is completed is counted."""

from __future__ import annotations

from mill_common.figures import fold_attempts, forget_figures, recount
from mill_common.resources import Resources
from mill_common.runs import Result, Run


def add_up(resources: Resources, run: Run) -> Result:
    """Add up what ended since the last time, an hour to a transaction, and count what there is.

    Items are attempts; the first run on an old database has a month of them.
    """
    added = 0
    while attempts := fold_attempts(resources.database):
        added += attempts
        run.expect(attempts)
        run.count(succeeded=attempts)
    recount(resources.database)
    forgotten = resources.database.run(forget_figures)
    return {"attempts_added": added, "rows_forgotten": forgotten}
