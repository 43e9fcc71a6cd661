"""Samples of machines that are too old to be asked for."""

from __future__ import annotations

from functools import partial

from mill_common.resources import Resources
from mill_common.runs import Result, Run
from mill_common.samples import forget_samples


def drop_old_samples(resources: Resources, run: Run) -> Result:
    """Remove the samples that `MILL_SAMPLES_KEEP_HOURS` no longer keeps."""
    keep = partial(forget_samples, keep_hours=resources.settings.samples_keep_hours)
    removed = resources.database.run(keep)
    run.expect(removed)
    run.count(succeeded=removed)
    return {"deleted_count": removed}
