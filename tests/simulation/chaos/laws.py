"""The laws that hold at every moment, whatever goes wrong; docs/reliability.md says them in words.

They are judged from outside: by what lies in the bucket and what the cloud holds, never by what a client believes.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from fleet.core.chain import newest_based, valid_refs
from fleet.core.costs import attempt_cost, volume_cost
from fleet.core.fold import fold
from fleet.core.pace import CLOUD
from fleet.core.plan.launching import MOST_MACHINES
from fleet.core.plan.volumes import KEEP
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.core.upcast import decode
from fleet.model import events as ev
from fleet.model.base import Micros, Seconds
from fleet.model.cloud import Billing, InstanceState
from fleet.model.documents import Base, CheckpointRef, Manifest
from fleet.providers.sim.things import SimInstance
from fleet.providers.wrap.around import Call
from tests.simulation.chaos import invoice
from tests.simulation.chaos.more_laws import MoreLaws
from tests.simulation.chaos.training import model_after

if TYPE_CHECKING:
    from tests.simulation.chaos.clients import Laptop, Machine
    from tests.simulation.chaos.world import World

COLLECTED_WITHIN: Seconds = CLOUD.age_guard + 3600 + 1800
"""The age guard, the hourly sweep of all regions, and half an hour for looks that come late."""
MOST_TRIES_AN_HOUR = 150
"""Launches intended or refused, and calls that failed, per run."""
MOST_CALLS_AN_HOUR = 3600
"""Of one controller."""
STALE: Seconds = 200
"""A base may miss what was committed while it was being created: a slow bucket and a pause between two calls."""
ALIVE = (InstanceState.PENDING, InstanceState.RUNNING)


class Checkpoints:
    """What a run's bucket holds."""

    def __init__(self) -> None:
        self.bases: dict[int, Base] = {}
        self.manifests: dict[CheckpointRef, Manifest] = {}
        self.made_at: dict[CheckpointRef, Seconds] = {}

    def trusted(self) -> list[CheckpointRef]:
        committed: dict[int, list[int]] = defaultdict(list)
        for ref in self.manifests:
            committed[ref.attempt].append(ref.seq)
        return valid_refs(newest_based(self.bases), self.bases, committed)


class Laws:
    """Judges the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.state = FleetState(fleet_id=world.fleet_id)
        self.violations: list[str] = []
        self.runs: dict[str, Checkpoints] = defaultdict(Checkpoints)
        self.events: Counter[str] = Counter()
        self.healthy_since: Seconds | None = None
        """Since when a controller is awake and nothing goes wrong for it."""
        self.users_word: set[str] = set()
        """Volumes that the user deleted."""
        self._unowned: dict[str, Seconds] = {}
        self._tries: dict[tuple[str, int], int] = Counter()
        self._calls: dict[tuple[str, int], int] = Counter()
        self.more = MoreLaws(self)

    def broken(self, law: str, what: str) -> None:
        """A law is broken."""
        told = f"{law}: {what}"
        self.world.says("LAW", told)
        self.violations.append(f"[{self.world.hours:.3f} h] {told}")

    # --- what the clients do

    def phase_now(self, client: Laptop | Machine) -> str:
        """In which phase of an attempt something is done."""
        agent = getattr(client, "agent", None)
        if agent is not None:
            return str(agent.phase)
        run = next(reversed(self.state.runs.values()), None)
        attempt = run.newest if run is not None else None
        return f"({attempt.phase})" if attempt is not None else "(none)"

    def launched(self, made: SimInstance) -> None:
        """A machine was made."""
        tags = made.request.tags
        if tags.get("fleet") != self.world.fleet_id:
            return
        self.more.launched(made)
        run = self.state.runs.get(tags.get("run", ""))
        attempt = run.attempts.get(int(tags["attempt"])) if run is not None else None
        if run is not None and (
            attempt is None or (attempt.token != made.request.token and attempt.try_no <= int(tags["try"]))
        ):
            self.broken("nothing is launched without a recorded intention", f"{made.instance_id} {dict(tags)}")

    def called(self, client: Laptop | Machine, call: Call) -> None:
        """A call to the cloud is about to be made."""
        self.more.called(call)
        world = self.world
        hour = int(world.hours)
        self._calls[client.name, hour] += 1
        if self._calls[client.name, hour] == MOST_CALLS_AN_HOUR:
            self.broken("calls stay within a stated rate", f"{client.name} made {MOST_CALLS_AN_HOUR} in an hour")
        if call.method == "terminate":
            self._terminates(str(call.arguments["instance_id"]))
        if call.method == "delete_volume":
            volume_id = str(call.arguments["volume_id"])
            meant = any(
                volume_id in r.volumes and r.volumes[volume_id].delete_at is not None for r in self.state.runs.values()
            )
            if not meant and volume_id not in self.users_word:
                self.broken("a volume is never deleted but by the user's word or its keep time", volume_id)

    def _terminates(self, instance_id: str) -> None:
        made = self.world.cloud.instances.get(instance_id)
        if made is None:
            return
        if made.request.tags.get("fleet") != self.world.fleet_id:
            self.broken("no machine of another fleet is ever touched", instance_id)
        if self._owner(made) is None and self.world.clock() - made.launched_at <= CLOUD.age_guard:
            self.broken("no machine younger than the age guard is collected", instance_id)

    def _owner(self, made: SimInstance) -> AttemptState | None:
        """The attempt that a machine is, or is to be adopted by."""
        run = self.state.runs.get(made.request.tags.get("run", ""))
        attempt = run.attempts.get(int(made.request.tags["attempt"])) if run is not None else None
        if attempt is None:
            return None
        if attempt.instance_id is None:
            return attempt if attempt.token == made.request.token else None
        return attempt if attempt.instance_id == made.instance_id else None

    # --- what the bucket holds

    def changed(self, key: str, data: bytes | None) -> None:
        """A key was written or removed."""
        self.more.changed(key, data)
        parts = key.split("/")
        if parts[0] == "journal":
            if data is not None:
                self._entry(json.loads(data))
        elif parts[0] == "runs" and parts[2] == "attempts" and parts[-1] == "base.json" and data is not None:
            self._base(parts[1], int(parts[3]), Base.model_validate_json(data))
        elif parts[0] == "runs" and parts[2] == "checkpoints" and parts[-1] == "manifest.json":
            ref = CheckpointRef(attempt=int(parts[3]), seq=int(parts[4]))
            if data is not None:
                self._manifest(parts[1], ref, Manifest.model_validate_json(data))
            else:
                self._pruned(parts[1], ref)
        elif parts[0] == "runs" and parts[2] == "checkpoints" and data is None:
            self._file_gone(parts[1], key)

    def _entry(self, entry: dict[str, object]) -> None:
        events = [decode(raw) for raw in entry["events"]]  # type: ignore[attr-defined]
        before = self.state
        self.state = fold(before, int(entry["n"]), float(entry["at"]), events)  # type: ignore[call-overload,arg-type]
        self.more.recorded(entry, before, events)
        for event in events:
            self.events[event.type] += 1
            run_id = getattr(event, "run_id", "")
            if isinstance(event, (ev.LaunchIntended, ev.LaunchFailed, ev.CallFailed)):
                hour = (run_id, int(self.world.hours))
                self._tries[hour] += 1
                if self._tries[hour] == MOST_TRIES_AN_HOUR:
                    self.broken("no error is retried in a hot loop", f"run {run_id}: {MOST_TRIES_AN_HOUR} tries in an hour")
            if isinstance(event, ev.VolumeDeleteIntended):
                self._delete_intended(before, event)
            if run_id in self.state.runs:
                self._run_changed(self.state.runs[run_id])
            if self.world.trace is not None:
                from fleet.cli.timeline import attempt_of, describe

                number = attempt_of(event)
                self.world.says(str(entry["by"]), f"{run_id} {f'#{number} ' if number else ''}{describe(event)}")

    def _run_changed(self, run: RunState) -> None:
        serving = [a for a in run.attempts.values() if a.serving]
        markets = {(a.offer or a.offers[0]).market for a in serving}
        trains = sum(a.resumed is not None for a in serving)
        beside = run.job.deadline is not None and trains <= 1 and len(markets) == 2
        if len(serving) > (2 if beside else 1):
            numbers = [a.number for a in serving]
            self.broken("at most one attempt carries a run", f"run {run.run_id}: attempts {numbers}")
        if len(run.live_attempts) > MOST_MACHINES:
            self.broken("a run has no more machines than it needs", f"run {run.run_id}: {len(run.live_attempts)}")

    def _delete_intended(self, before: FleetState, event: ev.VolumeDeleteIntended) -> None:
        run = before.runs[event.run_id]
        volume = run.volumes.get(event.volume_id)
        if volume is None:
            self.broken("what is deleted is in the journal", f"{event.volume_id} of run {run.run_id}")
            return
        since = volume.superseded_at if volume.superseded_at is not None else run.ended_at
        keep = run.job.volume.keep if run.job.volume.keep is not None else KEEP
        over = since is not None and event.at - since >= keep
        if not over and event.volume_id not in self.users_word:
            self.broken("a volume is kept for its keep time", f"{event.volume_id} of run {run.run_id}")

    def _base(self, run_id: str, attempt: int, base: Base) -> None:
        held = self.runs[run_id]
        newest = held.trusted()
        held.bases[attempt] = base
        if attempt < max(held.bases):
            return  # overtaken before it began: it is on nobody's chain
        for ref in newest:
            if ref == base.ref:
                return
            if self.world.clock() - held.made_at[ref] > STALE and ref not in {s.ref for s in base.skipped}:
                self.broken(
                    "the newest valid checkpoint never goes back",
                    f"run {run_id}: base of {attempt} is {base.ref}, not {ref}",
                )
                return

    def _manifest(self, run_id: str, ref: CheckpointRef, manifest: Manifest) -> None:
        held = self.runs[run_id]
        held.manifests[ref], held.made_at[ref] = manifest, self.world.clock()
        for entry in manifest.files:
            data = self.world.bucket.data.get(entry.key)
            if data is None or len(data[0]) != entry.size:
                self.broken("what has a manifest is whole", f"run {run_id} {ref}: {entry.path}")
                return
            content = json.loads(data[0])
            if content["value"] != model_after(content["step"]):
                self.broken("a checkpoint is a state that training was in", f"run {run_id} {ref}")
            if manifest.step is not None and manifest.step > content["step"]:
                self.broken("a checkpoint is never said to hold more than it does", f"run {run_id} {ref}: {manifest.step}")

    def _pruned(self, run_id: str, ref: CheckpointRef) -> None:
        held = self.runs[run_id]
        newest = held.trusted()
        head = newest_based(held.bases)
        base = held.bases[head].ref if head is not None else None
        if (newest and ref == newest[0]) or ref == base:
            self.broken("retention never removes what is in use", f"run {run_id} {ref}")
        held.manifests.pop(ref, None)

    def _file_gone(self, run_id: str, key: str) -> None:
        held = self.runs[run_id]
        for ref in held.trusted():
            if any(entry.key == key for entry in held.manifests[ref].files):
                self.broken("what was committed can be restored", f"run {run_id}: {key} is gone, and {ref} needs it")

    # --- now and then

    def after_step(self) -> None:
        """Cheap enough for every step: a machine lives no longer than its lease."""
        return

    def look_around(self) -> None:
        """Each hour: whose every machine is, until when it lives, and what every run has spent."""
        self.more.look_around()
        world = self.world
        now = world.clock()
        alive = [i for i in world.cloud.listed.values() if i.state.at(now) in ALIVE and i.ended_by is None]
        for made in alive:
            if made.request.tags.get("fleet") != world.fleet_id:
                continue
            self._whose(made, now)
            owner = self._owner(made)
            armed = made.power_off_at
            if owner is not None and owner.lease_until is not None and made.state.at(now) is InstanceState.RUNNING:
                self.more.leases.judge(made.instance_id, made.request.tags["run"], owner, armed)
        for run in self.state.runs.values():
            if run.job.budget.run is not None and not run.over:
                self.check_budget(run)

    def _whose(self, made: SimInstance, now: Seconds) -> None:
        owner = self._owner(made)
        if owner is not None and owner.live:
            self._unowned.pop(made.instance_id, None)
            return
        since = self._unowned.setdefault(made.instance_id, now)
        watched = self.healthy_since
        if watched is not None and now - max(since, watched) > COLLECTED_WITHIN + 2 * self.world.seldom:
            self.broken("what nobody owns is collected", f"{made.instance_id} since {(now - since) / 3600:.1f} h")

    def check_budget(self, run: RunState) -> None:
        """Not passed by more than a minute of the machines that run. Once none does, the disk is kept as the user said.

        A machine that never came up heard of no lease and powers nothing off: it ends once somebody looks, so that what it
        costs beyond its lease counts from then on.
        """
        cloud, now = self.world.cloud, self.world.clock()
        spent = slack = 0
        last = 0.0
        for made in cloud.instances.values():
            if made.request.tags.get("run") == run.run_id and made.request.tags.get("fleet") == self.world.fleet_id:
                spent += invoice.machine_by_the_hour(cloud, made)
                slack += made.offer.on_demand_price // 60 if made.ended_by is None else 0
                slack += self.never_told(made)
                last = max(last, made.ended_at(now) or now)
        for record in run.volumes.values():
            disk = cloud.volumes.get(record.volume_id)
            if disk is not None:
                spent += sum(invoice.disk(cloud, disk, since, until) for since, until in _held(record, last))
        assert run.job.budget.run is not None
        if spent > run.job.budget.run + slack:
            self.broken("a budget is not passed", f"run {run.run_id}: {spent} of {run.job.budget.run} micro-dollars")

    def never_told(self, made: SimInstance) -> Micros:
        """What a machine that never came up cost beyond its lease: it powers nothing off, so that it goes on until the cloud
        gives it up or somebody looks, who then has so much time for it."""
        run = self.state.runs.get(made.request.tags.get("run", ""))
        attempt = run.attempts.get(int(made.request.tags["attempt"])) if run is not None else None
        until = attempt.lease_until if attempt is not None else None
        if until is None or made.state.since(InstanceState.RUNNING) is not None:
            return 0
        most = until + COLLECTED_WITHIN + 2 * self.world.seldom
        return invoice.machine_by_the_hour(self.world.cloud, made, until, most)

    def check_ledger(self, run: RunState) -> None:
        """What fleet says a run cost is what the cloud bills: machines whose end was seen, and every disk."""
        cloud, now = self.world.cloud, self.world.clock()
        rules = cloud.manners
        billing = Billing(minimum_seconds=rules.minimum_seconds, free_if_interrupted_within=rules.free_if_interrupted_within)
        for attempt in run.attempts.values():
            made = cloud.instances.get(attempt.instance_id or "")
            if made is None or attempt.end_estimated:
                continue
            told, billed = attempt_cost(attempt, now, billing), invoice.machine_by_the_hour(cloud, made)
            if told != billed:
                self.broken("the ledger is the invoice", f"run {run.run_id} #{attempt.number}: {told}, billed {billed}")
        for record in run.volumes.values():
            disk = cloud.volumes[record.volume_id]
            told = volume_cost(record, now)
            billed = sum(invoice.disk(cloud, disk, since, until) for since, until in _held(record, now))
            late = max(0.0, (record.deleted_at or 0.0) - (disk.deleted_at or now))
            most = disk.size_gb * rules.volume_price * (late + 1) / (730 * 3600)
            for (since, before), (grew, _) in zip(record.grown, disk.grew, strict=False):
                if since > grew + 1:
                    self.broken("the ledger is the invoice", f"{record.volume_id} is larger than {before} GB since {grew}")
                most += disk.size_gb * rules.volume_price * (grew - since) / (730 * 3600)  # paid for since it was asked for
            if not billed - 2 <= told <= billed + 2 + most:
                self.broken("the ledger is the invoice", f"run {run.run_id} {record.volume_id}: {told}, billed {billed}")


def _held(record: object, now: Seconds) -> list[tuple[Seconds, Seconds]]:
    """The stretches in which a run answers for a disk."""
    from fleet.core.state import VolumeRecord

    assert isinstance(record, VolumeRecord)
    return [*record.earlier, (record.since, min(now, record.passed_at if record.passed_at is not None else now))]
