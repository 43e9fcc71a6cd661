"""Errors have codes that clients may rely on."""

from __future__ import annotations

from mill_common.errors import LeaseLost, MillError, PermanentError, Stopped, TransientError


def _subclasses(error: type[MillError]) -> list[type[MillError]]:
    return [error, *(inner for child in error.__subclasses__() for inner in _subclasses(child))]


def test_every_error_has_a_code_of_its_own() -> None:
    import mill_common.storage
    import mill_common.worker.attempt  # noqa: F401 - with the errors that are defined beside their use

    found = [error for error in _subclasses(MillError) if error.__module__.startswith("mill_common")]
    codes = [error.code for error in found]
    assert len(codes) == len(set(codes))
    assert all("code" in vars(error) for error in found)


def test_the_codes_that_clients_know_are_stable() -> None:
    from mill_common import errors

    codes = {
        name: kind.code for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, MillError)
    }
    assert codes == {
        "MillError": "internal_error",
        "PermanentError": "permanent_error",
        "SourceUnreadable": "source_unreadable",
        "SourceRefused": "source_refused",
        "SourceTooLarge": "source_too_large",
        "SourceMissing": "source_missing",
        "OutputInvalid": "output_invalid",
        "ModelUnavailable": "model_unavailable",
        "TransientError": "transient_error",
        "StorageUnavailable": "storage_unavailable",
        "ChildFailed": "child_failed",
        "ChildStalled": "child_stalled",
        "DeadlineExceeded": "deadline_exceeded",
        "Stopped": "stopped",
        "LeaseLost": "lease_lost",
        "TaskCancelled": "cancelled",
        "ShuttingDown": "shutting_down",
    }


def test_an_error_is_permanent_transient_or_a_stop_but_never_two() -> None:
    kinds = (PermanentError, TransientError, Stopped)
    assert all(sum(issubclass(error, kind) for kind in kinds) <= 1 for error in _subclasses(MillError))


def test_an_error_s_docstring_is_its_default_message() -> None:
    assert LeaseLost().message == "Another worker holds the task by now; nothing was written."
    assert LeaseLost("gone").message == "gone"
