"""EC2's events as AWS's documentation shows them; where it has placeholders ("yyyy-mm-ddThh:mm:ssZ", "action"), values.

- INTERRUPTION: docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html. Its resource has the form
  ``arn:aws:ec2:<zone>:instance/<id>``, without an account.
- REBALANCE: docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html
- STATE: docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html. It shows no "version".
- SCHEDULED: docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html (a schedule's default input), and
  SCHEDULE, what fleet's own schedules say.
"""

from __future__ import annotations

import copy
from typing import Any

INTERRUPTION: dict[str, Any] = {
    "version": "0",
    "id": "12345678-1234-1234-1234-123456789012",
    "detail-type": "EC2 Spot Instance Interruption Warning",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2026-11-26T03:00:00Z",
    "region": "us-east-2",
    "resources": ["arn:aws:ec2:us-east-2a:instance/i-1234567890abcdef0"],
    "detail": {"instance-id": "i-1234567890abcdef0", "instance-action": "terminate"},
}
REBALANCE: dict[str, Any] = {
    "version": "0",
    "id": "12345678-1234-1234-1234-123456789012",
    "detail-type": "EC2 Instance Rebalance Recommendation",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2026-11-26T02:55:00Z",
    "region": "us-east-2",
    "resources": ["arn:aws:ec2:us-east-2:123456789012:instance/i-1234567890abcdef0"],
    "detail": {"instance-id": "i-1234567890abcdef0"},
}
STATE: dict[str, Any] = {
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2021-11-11T21:29:54Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
    "detail": {"instance-id": "i-abcd1111", "state": "shutting-down"},
}
SCHEDULED: dict[str, Any] = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.scheduler",
    "account": "123456789012",
    "time": "2026-11-26T03:00:00Z",
    "region": "us-east-1",
    "resources": ["arn:aws:scheduler:us-east-1:123456789012:schedule/default/fleet-1a2b3c4d-controller-minute"],
    "detail": "{}",
}
SCHEDULE: dict[str, Any] = {"source": "fleet.schedule", "detail-type": "each minute"}


def about(event: dict[str, Any], instance_id: str, region: str = "us-east-1", **detail: str) -> dict[str, Any]:
    """The same event of another machine."""
    made = copy.deepcopy(event)
    made["region"] = region
    made["resources"] = [made["resources"][0].rpartition("/")[0] + f"/{instance_id}"]
    made["detail"] = {**made["detail"], "instance-id": instance_id, **detail}
    return made
