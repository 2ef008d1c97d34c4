"""What can be put around any provider without its knowing: retry, limits, dry-run, recording, faults."""

from fleet.providers.wrap.around import Call, Wrapper
from fleet.providers.wrap.dry_run import DryRun
from fleet.providers.wrap.faults import Fault, Faults
from fleet.providers.wrap.guard import Guard
from fleet.providers.wrap.limit import Limit
from fleet.providers.wrap.record import Record, Recorder
from fleet.providers.wrap.retry import Retry

__all__ = ["Call", "DryRun", "Fault", "Faults", "Guard", "Limit", "Record", "Recorder", "Retry", "Wrapper"]
