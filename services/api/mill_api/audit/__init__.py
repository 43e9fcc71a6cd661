"""What administrators did and what was refused them, in a log that is only added to."""

from mill_api.audit.record import record, record_alone
from mill_api.audit.watching import lacks_entry, write_entry

__all__ = ["lacks_entry", "record", "record_alone", "write_entry"]
