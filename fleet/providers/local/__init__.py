"""The embedded default: instances are groups of processes on this computer, volumes and buckets are folders.

Instances run the real agent, with a metadata endpoint that speaks IMDSv2, and a market that takes them back.
"""

from fleet.providers.local.market import set_market
from fleet.providers.local.provider import LocalProvider, stop_everything

__all__ = ["LocalProvider", "set_market", "stop_everything"]
