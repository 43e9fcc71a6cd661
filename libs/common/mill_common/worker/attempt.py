"""One attempt at a task, from its handler's first line to the row that says how it ended."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from mill_common.errors import LeaseLost, MillError, PermanentError, ShuttingDown, Stopped, TaskCancelled
from mill_common.queue import NewOutput, TaskQueue
from mill_common.states import TaskStatus
from mill_common.storage import ObjectStore
from mill_common.tracing import dead_letter
from mill_common.worker.context import Handler
from mill_common.worker.running import RunningTask

log = structlog.get_logger(__name__)


class UnknownKind(PermanentError):
    """This worker does not know the task's kind."""

    code = "unknown_kind"


class _Unsettled(Exception):
    """The database went away while the completion was written."""


def attempt(task: RunningTask, handler: Handler | None, queue: TaskQueue, store: ObjectStore) -> Exception | None:
    """Run the handler and record the outcome. Never raises: what cannot be recorded is left to the lease.

    Returns why the task was not completed, if it was not.
    """
    try:
        _complete(task, handler, queue, store)
    except _Unsettled as error:
        # Whether the completion was committed is unknown. Only if `fail` gets past the fence may its objects go.
        if _record_failure(task, error, queue):
            _discard(store, _attempt_keys(store, task))
        return error
    except Exception as error:  # noqa: BLE001 - the attempt's history is where a handler's error goes
        reason = task.reason or error
        _discard(store, _attempt_keys(store, task))
        _put_down(task, reason, queue)
        return reason
    return None


def _complete(task: RunningTask, handler: Handler | None, queue: TaskQueue, store: ObjectStore) -> None:
    if handler is None:
        raise UnknownKind(f"This worker knows no task of kind {task.claim.kind!r}.")
    task.raise_if_stopped()
    log.info("task_started", attempt=task.claim.attempts)
    result = handler(task)
    task.raise_if_stopped()
    intermediate = [output for output in task.outputs().values() if output.intermediate] if result.publish else []
    try:
        queue.finish(task.claim, result, task.made, task.spent)
    except (OperationalError, InterfaceError) as error:
        raise _Unsettled from error
    log.info("task_completed", cpu_s=round(task.spent.cpu_s, 3))
    _discard(store, (key for output in intermediate for key in keys_of(output)))


def keys_of(output: NewOutput) -> list[str]:
    """The keys of the objects that an output consists of."""
    return [output.object_key + name for name in output.files] or [output.object_key]


def _put_down(task: RunningTask, reason: Exception, queue: TaskQueue) -> None:
    if not isinstance(reason, Stopped):
        _report(reason)
        _record_failure(task, reason, queue)
        return
    log.info("task_put_down", reason=reason.code)
    try:
        if isinstance(reason, ShuttingDown):
            reason = _release(task, queue)
        if isinstance(reason, TaskCancelled):
            queue.acknowledge_cancel(task.claim, task.spent)
    except (LeaseLost, SQLAlchemyError) as error:
        log.info("task_left_to_its_lease", error=type(error).__name__)


def _release(task: RunningTask, queue: TaskQueue) -> Stopped:
    try:
        queue.release(task.claim, task.spent)
    except TaskCancelled as cancelled:
        return cancelled
    return ShuttingDown()


def _record_failure(task: RunningTask, error: Exception, queue: TaskQueue) -> bool:
    """Whether the failure was written."""
    try:
        if queue.fail(task.claim, error, task.spent) is TaskStatus.FAILED:
            dead_letter(error)  # not each attempt: what a retry mends is nobody's concern
    except Stopped as reason:
        _put_down(task, reason, queue)
        return False
    except Exception as unwritten:
        log.exception("task_left_to_its_lease", exc_info=unwritten)
        return False
    return True


def _report(error: Exception) -> None:
    if isinstance(error, MillError):
        log.warning("task_failed", code=error.code, message=error.message)
        return
    log.error("task_crashed", exc_info=error)


def _attempt_keys(store: ObjectStore, task: RunningTask) -> list[str]:
    try:
        return [stat.key for stat in store.list(task.prefix)]
    except Exception as error:  # noqa: BLE001 - see `_discard`
        log.warning("objects_not_discarded", error=type(error).__name__)
        return []  # the sweep of orphaned objects finds them later


def _discard(store: ObjectStore, keys: Iterable[str]) -> None:
    try:
        if found := list(keys):
            store.delete(found)
    except Exception as error:  # noqa: BLE001 - storage in trouble must not keep the outcome from being recorded
        log.warning("objects_not_discarded", error=type(error).__name__)
