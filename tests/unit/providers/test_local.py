"""The provider ``local``: real processes, a real metadata endpoint, a market that takes machines back."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar, cast

import psutil
import pytest

from fleet.agent.local_machine import LocalMachine
from fleet.agent.metadata import Metadata
from fleet.model.cloud import Instance, InstanceState, LaunchRequest, Market, NewVolume
from fleet.model.errors import ErrorClass, FleetError, ProviderError
from fleet.providers.local import folder as files
from fleet.providers.local import market as markets
from fleet.providers.local.provider import LocalProvider, stop_everything

T = TypeVar("T")
AGENT = """
echo "$FLEET_METADATA_URL" > ../url.tmp && mv ../url.tmp ../url
sleep 600 & (exec setsid sleep 600) & exec sleep 600
"""
"""An agent that tells where its metadata are, and leaves a child, and one in a session of its own."""


class Local:
    """A home, and what the tests do with it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.provider = LocalProvider(home, "f", agent_command=["sh", "-c", AGENT])

    def request(self, token: str = "t", **more: object) -> LaunchRequest:
        offers = sorted((o for o in self.provider.offers() if o.market is Market.SPOT), key=lambda o: (o.price, o.key))
        home = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        token = f"{token}-{home}"  # ids follow from it, on the whole computer
        tags = {"fleet": "f", "run": "r-1", "attempt": "1", "try": "1", **cast("dict[str, str]", more.pop("tags", {}))}
        fields = {"token": token, "fleet_id": "f", "run_id": "r-1", "run_name": "r", "attempt": 1, "try_no": 1}
        return LaunchRequest.model_validate(
            {**fields, "tags": {**tags, "token": token}, "offers": (offers[0],), "user_data": '{"hello": 1}', **more}
        )

    def folder(self, instance: Instance) -> Path:
        return self.home / "instances" / instance.instance_id

    def running(self, token: str = "t", **more: object) -> Instance:
        made = self.provider.launch(self.request(token, **more))
        until(lambda: (self.folder(made) / "url").exists() and self.state(made) is InstanceState.RUNNING)
        return made

    def state(self, instance: Instance) -> InstanceState | None:
        seen = self.provider.get("here", instance.instance_id)
        return seen.state if seen else None

    def ended(self, instance: Instance) -> Instance:
        def check() -> Instance | None:
            seen = self.provider.get("here", instance.instance_id)
            return seen if seen is not None and seen.state is InstanceState.TERMINATED else None

        return until(check)

    def metadata(self, instance: Instance) -> str:
        return (self.folder(instance) / "url").read_text().strip()

    def processes(self, instance: Instance) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and process.environ().get("FLEET_INSTANCE_ID") == instance.instance_id:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found


def until(check: Callable[[], T | None], seconds: float = 20) -> T:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it never came to pass")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    made = Local(tmp_path / "local")
    yield made
    stop_everything(made.home)


def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    names = {key.replace("_", "-"): value for key, value in headers.items()}
    request = urllib.request.Request(url, method=method, headers=names)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""


def schedule(home: Path, *take_backs: dict[str, object]) -> None:
    markets.set_market(home, {"kind": "schedule", "take_backs": list(take_backs)})


# --- metadata


def test_metadata_want_a_token_as_imdsv2_does(local: Local) -> None:
    url = local.metadata(local.running())
    ttl = "X_aws_ec2_metadata_token_ttl_seconds"
    assert ask(f"{url}/latest/user-data")[0] == 401
    assert ask(f"{url}/latest/user-data", X_aws_ec2_metadata_token="guessed")[0] == 401
    assert ask(f"{url}/latest/api/token", "PUT")[0] == 400
    assert ask(f"{url}/latest/api/token", "PUT", **{ttl: "99999"})[0] == 400
    assert ask(f"{url}/latest/api/token", "PUT", **{ttl: "60"}, X_Forwarded_For="10.0.0.1")[0] == 403
    status, token = ask(f"{url}/latest/api/token", "PUT", **{ttl: "60"})
    assert status == 200
    assert ask(f"{url}/latest/user-data", X_aws_ec2_metadata_token=token) == (200, '{"hello": 1}')
    action = f"{url}/latest/meta-data/spot/instance-action"
    assert ask(action, X_aws_ec2_metadata_token=token)[0] == 404


def test_a_token_expires_and_the_agents_client_renews_it(local: Local) -> None:
    from fleet.providers.local.metadata import Metadata as Served

    now = [1000.0]
    served = Served(
        {"instance_id": "i-1", "offer": {"instance_type": "x", "zone": "z", "region": "r", "market": "spot"}},
        "",
        clock=lambda: now[0],
    )
    token = served.make_token(60)
    now[0] += 59
    assert served.is_token(token)
    now[0] += 2
    assert not served.is_token(token)
    client = Metadata(local.metadata(local.running()))
    assert client.get("/latest/meta-data/instance-id")
    client._token = "expired"
    assert client.get("/latest/meta-data/instance-type") == "small"


def test_a_notice_stands_in_the_metadata_for_its_lead_and_then_the_machine_is_gone(local: Local) -> None:
    schedule(local.home, {"after": 0.3, "signals": ["rebalance", "notice"], "rebalance_lead": 0.4, "lead": 0.8})
    made = local.running()
    machine = LocalMachine(local.folder(made), Metadata(local.metadata(made)))
    assert machine.notice() is None
    until(machine.rebalance)
    assert machine.notice() is None
    taken_at = until(machine.notice)
    assert 0.3 < taken_at - time.time() <= 0.81
    gone = local.ended(made)
    assert gone.ended_by == "cloud"
    assert gone.ended_at is not None
    assert abs(gone.ended_at - taken_at) < 0.5


# --- ends


def test_a_machine_that_is_taken_without_warning_dies_whole(local: Local) -> None:
    schedule(local.home, {"after": 0.2})
    made = local.running()
    assert len(local.processes(made)) == 3
    assert local.ended(made).ended_by == "cloud"
    assert local.processes(made) == []


def test_a_schedule_that_counts_from_training_waits_for_it(local: Local) -> None:
    schedule(local.home, {"after": 0.1, "from": "training"})
    made = local.running()
    time.sleep(0.5)
    assert local.state(made) is InstanceState.RUNNING
    LocalMachine(local.folder(made), Metadata(local.metadata(made))).training_begins()
    assert local.ended(made).ended_by == "cloud"


def test_on_demand_machines_are_not_taken(local: Local) -> None:
    schedule(local.home, {"after": 0.0})
    offer = next(o for o in local.provider.offers() if o.market is Market.ON_DEMAND)
    made = local.running(offers=(offer,))
    time.sleep(0.4)
    assert local.state(made) is InstanceState.RUNNING


def test_the_dead_man_switch_ends_the_machine_without_anybody(local: Local) -> None:
    made = local.running()
    machine = LocalMachine(local.folder(made), Metadata(local.metadata(made)))
    machine.arm(100.3, now=100.0)
    assert local.ended(made).ended_by == "itself"
    assert local.processes(made) == []


def test_a_lease_is_armed_by_the_launch_itself(local: Local) -> None:
    made = local.provider.launch(local.request(lease_until=time.time() + 0.5))
    assert local.ended(made).ended_by == "itself"


def test_a_machine_powers_itself_off(local: Local) -> None:
    made = local.running()
    LocalMachine(local.folder(made), Metadata(local.metadata(made))).power_off()
    assert local.ended(made).ended_by == "itself"


def test_an_agent_that_dies_is_started_again_a_few_times_and_then_its_machine_is_given_up(tmp_path: Path) -> None:
    local = Local(tmp_path / "local")
    local.provider = LocalProvider(local.home, "f", agent_command=["sh", "-c", "echo started; exit 3"])
    made = local.provider.launch(local.request())
    assert local.ended(made).ended_by == "itself"
    assert (local.folder(made) / "console.log").read_text().count("started") == 4


def test_a_machine_whose_supervisor_was_killed_is_dead_and_nobody_saw_its_end(local: Local) -> None:
    made = local.running()
    session = files.session_of(local.folder(made))
    assert session is not None
    os.kill(session[0], 9)
    assert local.ended(made).ended_by == "unknown"
    assert local.processes(made) == []


def test_an_end_that_nobody_saw_is_known_to_about_a_second_however_rarely_the_agent_gives_a_sign(local: Local) -> None:
    made = local.running()
    session = files.session_of(local.folder(made))
    assert session is not None
    until(lambda: (files.last_sign(local.folder(made)) or 0.0) > session[1] + 1.0)
    killed = time.time()
    os.kill(session[0], 9)
    ended = local.ended(made).ended_at
    assert ended is not None
    assert killed - 3.0 < ended <= killed + 0.1


def test_a_volume_survives_its_machine(local: Local) -> None:
    made = local.running(volume=NewVolume(size_gb=1))
    volume = local.provider.list("here").volumes[0]
    disk = LocalMachine(local.folder(made), Metadata(local.metadata(made))).volume(volume.volume_id, new=False)
    assert disk is not None
    (disk / "kept").write_text("x")
    local.provider.terminate("here", made.instance_id)
    local.ended(made)
    assert (local.home / "volumes" / volume.volume_id / "data" / "kept").read_text() == "x"
    assert not (local.folder(made) / "root").exists()


def test_machines_outlive_their_controller_and_are_found_again(local: Local) -> None:
    program = f"""
import os, signal
from pathlib import Path
from tests.unit.providers.test_local import Local
local = Local(Path({str(local.home)!r}))
local.running()
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[3], check=False)
    assert ended.returncode == -9
    found = local.provider.list("here").instances
    assert [i.state for i in found] == [InstanceState.RUNNING]
    assert local.provider.launch(local.request()).instance_id == found[0].instance_id
    local.provider.terminate("here", found[0].instance_id)
    assert local.ended(found[0]).ended_by == "fleet"


def test_a_launch_that_died_half_way_is_finished_by_the_next(local: Local) -> None:
    made = local.running()
    local.provider.terminate("here", made.instance_id)
    local.ended(made)
    half = local.home / "instances" / "i-half"
    (half / "root").mkdir(parents=True)
    assert [i.instance_id for i in local.provider.list("here").instances] == [made.instance_id]
    # A record without a supervisor: power was never switched on.
    again = local.request("t2")
    power, local.provider._power_on = local.provider._power_on, lambda folder: None  # type: ignore[method-assign]
    pending = local.provider.launch(again)
    local.provider._power_on = power  # type: ignore[method-assign]
    assert pending.state is InstanceState.PENDING
    assert local.provider.launch(again).instance_id == pending.instance_id
    until(lambda: local.state(pending) is InstanceState.RUNNING)


def test_stopping_everything_leaves_no_process_and_no_port(local: Local) -> None:
    made = [local.running(f"t{n}") for n in range(3)]
    ports = [local.metadata(one) for one in made]
    stop_everything(local.home)
    assert [p for one in made for p in local.processes(one)] == []
    for url in ports:
        with pytest.raises(OSError, match="refused"):
            ask(url)
    assert {i.state for i in local.provider.list("here").instances} == {InstanceState.TERMINATED}


# --- the market


def test_after_an_outage_a_zone_has_no_spot_capacity_for_a_while(local: Local) -> None:
    schedule(local.home, {"after": 0.0, "zone_out": 60.0})
    made = local.provider.launch(local.request())
    local.ended(made)
    with pytest.raises(ProviderError) as told:
        local.provider.launch(local.request("t2"))
    assert told.value.error_class is ErrorClass.CAPACITY
    elsewhere = next(o for o in local.provider.offers() if o.zone != made.offer.zone and o.market is Market.SPOT)
    assert local.provider.launch(local.request("t3", offers=(elsewhere,))).offer.zone == elsewhere.zone


def test_a_listing_reads_every_record_once_however_many_machines_and_disks_there_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, count = tmp_path / "local", 20
    provider = LocalProvider(home, "f", clock=lambda: 100.0)
    offer = json.loads(provider.offers()[0].model_dump_json())
    ended = {"offer": offer, "state": "terminated", "launched_at": 1.0, "ended_at": 2.0, "ended_by": "cloud"}
    for number in range(count):
        provider.create_volume("here", "here-a", NewVolume(size_gb=1), f"v-{number}", {"fleet": "f"})
        folder = home / "instances" / f"i-{number}"
        folder.mkdir(parents=True)
        files.write_json(folder / files.INSTANCE, {**ended, "instance_id": folder.name, "tags": {"fleet": "f"}})
    read: list[Path] = []
    real = Path.read_text

    def counted(path: Path, encoding: str | None = None, errors: str | None = None) -> str:
        read.append(path)
        return real(path, encoding, errors)

    monkeypatch.setattr(Path, "read_text", counted)
    listing = provider.list("here")
    assert (len(listing.instances), len(listing.volumes)) == (count, count)
    assert len(read) == len(set(read)) == 2 * count


def trace(path: Path, data: list[int]) -> str:
    path.write_text(json.dumps({"metadata": {"gap_seconds": 60}, "data": data}))
    return str(path)


def test_a_trace_says_when_a_zone_has_capacity_and_until_when(tmp_path: Path) -> None:
    spec = {"kind": "trace", "zones": {"here-a": trace(tmp_path / "a", [1, 1, 0, 2, 2])}, "epoch": 100.0, "tick": 10.0}
    market = markets.parse_market(spec)
    up = [markets.capacity(market, "here-a", 100.0 + 10 * step + 5) for step in range(7)]
    assert up == [True, True, False, True, True, True, True]
    assert not markets.capacity(market, "here-b", 100.0)
    first = markets.fate(market, "here-a", 0, 105.0)
    assert first is not None
    assert first["take_at"] == 120.0
    assert markets.fate(market, "here-a", 1, 135.0) is None  # after its end a trace stays as it was


def test_a_trace_can_be_entered_anywhere(tmp_path: Path) -> None:
    spec = {"kind": "trace", "zones": {"here-a": trace(tmp_path / "a", [0, 0, 1, 0])}, "epoch": 0.0, "start": 2}
    market = markets.parse_market(spec)
    assert markets.capacity(market, "here-a", 0.5)
    assert not markets.capacity(market, "here-a", 1.5)


def test_a_seed_gives_the_same_ups_and_downs_each_time() -> None:
    def ups(seed: int) -> list[bool]:
        market = markets.parse_market({"kind": "seed", "seed": seed, "up": 10, "down": 10, "epoch": 0.0})
        return [markets.capacity(market, "here-a", float(t)) for t in range(300)]

    assert ups(1) == ups(1)
    assert ups(1) != ups(2)
    assert 60 < sum(ups(1)) < 240


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"kind": "weather"}, "kind"),
        ({"kind": "schedule", "take_backs": [{"after": -1}]}, "after"),
        ({"kind": "schedule", "take_backs": [{"after": 1, "signals": ["smoke"]}]}, "signals"),
        ({"kind": "trace", "zones": {"here-a": "/nowhere"}, "epoch": 0}, "/nowhere"),
        ({"kind": "none", "colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_market_is_refused_by_field(tmp_path: Path, spec: dict[str, object], told: str) -> None:
    with pytest.raises(FleetError, match=told):
        markets.set_market(tmp_path / "home", spec)
    assert not (tmp_path / "home" / "market.json").exists()


def test_a_computer_that_slept_gives_the_agent_a_moment_to_renew_the_dead_man_switch(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fleet.providers.local.supervisor import SLEPT, WAKING, Supervisor

    made = local.running()
    files.write_json(local.folder(made) / files.DEAD_MAN, {"power_off_at": 1000.0})
    guard = Supervisor(local.folder(made))
    guard.looked_at = 900.0
    asleep_until = 900.0 + 4 * 3600
    assert guard._look(asleep_until) is None  # four hours late, but it was not running either
    assert guard._look(asleep_until + SLEPT - 1) is None
    assert guard._look(asleep_until + WAKING - 1) is None
    assert guard._look(asleep_until + WAKING) == "itself"
    files.write_json(local.folder(made) / files.DEAD_MAN, {"power_off_at": time.time() + 600})
