"""Every call that the provider really makes, on what set-up really made, is within the controller's policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from fleet.model.cloud import NewVolume
from fleet.providers.aws.policies import controller_policy
from tests.aws.account import ACCOUNT, HOME, Account
from tests.aws.bench import Rig
from tests.aws.evaluator import decide
from tests.aws.ground import offer
from tests.aws.recorded import Recorder, requests_of


def test_every_call_of_the_provider_is_in_the_controllers_policy(account: Account, tmp_path: Path) -> None:
    account.init()
    rig = Rig(cast(Any, None), account.setup, tmp_path / "prices")
    fleet, recorder, provider = rig.setup.fleet_id, Recorder(), rig.provider()
    first = provider.launch(rig.request(volume=NewVolume(size_gb=8)))
    provider.launch(rig.request(offer(), volume=NewVolume(size_gb=8)))
    volume = provider.create_volume(HOME, first.offer.zone, NewVolume(size_gb=8), "t-9", {"fleet": fleet, "run": "car-1"})
    provider.attach(HOME, volume.volume_id, first.instance_id)
    provider.detach(HOME, volume.volume_id, first.instance_id)
    provider.delete_volume(HOME, volume.volume_id)
    provider.list(HOME)
    provider.get(HOME, first.instance_id)
    provider.console(HOME, first.instance_id)
    provider.boot_target([offer()], None)
    provider.terminate(HOME, first.instance_id)
    policy = controller_policy(ACCOUNT, "aws", rig.setup.bucket, fleet)
    refused = [str(one) for call in recorder.calls for one in requests_of(call) if decide(policy, one) != "allow"]
    assert refused == []
    assert {call.operation for call in recorder.changes} >= {"CreateFleet", "RunInstances", "TerminateInstances"}
