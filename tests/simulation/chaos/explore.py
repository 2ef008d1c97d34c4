"""One seed, from its first run to the last machine's end: weather, storms of faults, users, laptops; then all is healed.

python -m tests.simulation.chaos replay SEED      the same again, with everything that happens
python -m tests.simulation.chaos soak MINUTES     seed after seed; the last line is the result
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fleet.control.controller import Controller
from fleet.control.inventory import delete_volume, volumes
from fleet.control.runs import add_note, live_run, resume_run, start_run, stop_run
from fleet.core.plan.launching import waits_for
from fleet.core.state import RunState
from fleet.model import layout
from fleet.model.base import Seconds
from fleet.model.errors import FleetError
from fleet.model.events import BudgetSet
from fleet.model.job import Job
from fleet.providers.sim.market import HOUR, Weather
from fleet.store.journal import Journal
from tests.simulation.chaos.clients import Machine
from tests.simulation.chaos.coarse import coarse_tables
from tests.simulation.chaos.faults import Storm
from tests.simulation.chaos.kinds import SIM, Kind
from tests.simulation.chaos.laws import ALIVE
from tests.simulation.chaos.older import USERS_WORDS
from tests.simulation.chaos.training import model_after
from tests.simulation.chaos.world import Luck, World

HEALING_HOURS = 24 * 60
"""Once faults stop, everything that can finish does within this: runs wait for days for the same named disk."""

NEAR: tuple[Seconds, ...] = (10.0, 10.0, 60.0, 300.0)
WIDE: tuple[Seconds, ...] = (500.0, 1800.0)
"""How soon controllers see news: one on a laptop at once, one on a schedule later. Each draws its own."""
QUIETS: tuple[Seconds, ...] = (300.0, 1200.0, 2400.0)
SELDOM: tuple[Seconds, ...] = (2400.0, 3600.0)
"""How often they look at least."""
ZONES = ("UTC", "America/New_York")
"""In which a fleet's days are counted."""
LONG = 200
"""Hours from which on a world is a large one: its runs and its weather last longer, its controllers come by now and then."""


@dataclass
class Result:
    """What one seed came to."""

    seed: int
    hours: float
    instance_hours: float
    events: int
    effects: int
    steps: int
    seconds: float
    violations: list[str]
    reached: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)


class Explorer:
    """Lets one seed happen."""

    def __init__(self, seed: int, *, hours: float = 120, runs: int = 20, trace: bool = False, kind: Kind = SIM) -> None:
        self.storm = Storm(seed, on=False)
        weather = Weather(up=(60 if hours >= LONG else 8) * HOUR, down=1 * HOUR, epoch=1_700_000_000.0)
        self.world = World(seed, self.storm, weather=weather, trace=trace, kind=kind)
        manners = self.world.cloud.manners
        self.world.cloud.manners = replace(manners, spot_quota=60, on_demand_quota=60, volume_quota=200)
        self.chance, self.hours, self.most = self.world.chance, hours, runs
        self.count = self.came = 0
        self.stopped: set[str] = set()
        self.hurt: set[str] = set()
        """Runs whose training or machine was made to fail for good."""
        objects = self.world.bucket
        journal = Journal(objects, self.world.fleet_id, by="user", version="0", nonce=self.world.nonce)
        self.user = Controller(objects, journal, self.world.fleet_id, self.world.providers())
        self.over = False

    # --- from beginning to end

    def explore(self) -> Result:
        """Everything."""
        world = self.world
        begun = time.perf_counter()
        world.paces, world.quiets = (WIDE, SELDOM) if self.hours >= LONG else (NEAR, QUIETS)
        world.luck = Luck(0.01, 0.02, 0.02, 0.3, 0.2, 0.3)
        self.controllers_come()
        self.cap_the_fleet()
        for _ in range(self.most // 2):
            self.start()
        world.at(1800, self.storms)
        world.at(600, self.something)
        world.at(3600, self.hourly)
        try:
            with coarse_tables():
                while world.hours < self.hours and not world.laws.violations:
                    world.live(3600)
                if not world.laws.violations:
                    self.heal()
        finally:
            result = self._result(time.perf_counter() - begun)
            world.close()
        return result

    def cap_the_fleet(self) -> None:
        """Some fleets have a budget of their own."""
        own = random.Random(f"{self.world.seed}/budget")
        if own.random() < 0.3:
            now, each = self.world.clock(), own.choice([3_000_000, 8_000_000])  # a day, for each run that there may be
            zone = own.choice(ZONES)
            self.user.record([BudgetSet(at=now, day=each * self.most, month=None, time_zone=zone)])
            if own.random() < 0.5:
                self.world.at(own.expovariate(1 / 1.5) * 86_400, lambda: self.change_the_budget(own, zone))

    def change_the_budget(self, own: random.Random, zone: str) -> None:
        """The user gives the fleet more money for a day, or less, or as much as it likes, or moves to another time zone."""
        if self.over:
            return
        zone = own.choice(ZONES) if own.random() < 0.2 else zone
        each = own.choice([500_000, 1_000_000, 2_000_000, 3_000_000, None])
        day = each * self.most if each is not None else None
        self.world.says("user", f"lets the fleet spend {day} micro-dollars a day, in {zone}")
        self.user.catch_up()
        self.user.record([BudgetSet(at=self.world.clock(), day=day, month=None, time_zone=zone)])
        self.world.at(own.expovariate(1 / 1.5) * 86_400, lambda: self.change_the_budget(own, zone))

    def _result(self, seconds: float) -> Result:
        world = self.world
        lived = sum(
            (made.ended_at(world.clock()) or world.clock()) - made.launched_at for made in world.cloud.instances.values()
        )
        outcomes: Counter[str] = Counter(str(run.outcome or "live") for run in world.laws.state.runs.values())
        return Result(
            world.seed, world.hours, lived / 3600, sum(world.laws.events.values()), world.effects, world.steps, seconds,
            world.laws.violations, world.reached, outcomes, world.trace or [],
        )  # fmt: skip

    def heal(self) -> None:
        """Nothing goes wrong any more; what can finish does."""
        world = self.world
        world.says("WORLD", "everything is healed")
        self.over, self.storm.on, world.luck = True, False, Luck()
        world.cloud.slow_detach = 0.0
        world.cloud.market.outages.clear()
        world.full_until.clear()
        for machine in world.machines.values():
            machine.cut_off_until = 0.0
        for laptop in world.laptops:
            laptop.cut_off_until = laptop.asleep_until = 0.0
        self.somebody_watches()
        budget, enough = self.user.state.budget, 3_000_000 * self.most
        if budget is not None and budget.day is not None and budget.day < enough:
            self.user.record([BudgetSet(at=world.clock(), day=enough, month=None, time_zone=budget.time_zone)])
        until = world.clock() + HEALING_HOURS * 3600
        while world.clock() < until and not world.laws.violations:
            world.live(3600)
            self.user.catch_up()
            for run in self.user.state.runs.values():
                if run.ended_at is None and run.pause is not None and run.pause.until is None:
                    resume_run(self.user, run.run_id)  # it waited for a word, and said for which
            if all(run.over for run in self.user.state.runs.values()):
                break
        world.live(2 * 3600)
        self.at_rest()

    def controllers_come(self) -> None:
        """Those that are there from the beginning."""
        for _ in range(self.chance.randint(1, 3)):
            self.world.laptop()
        self.maybe_an_older_one(0.2)

    def maybe_an_older_one(self, share: float) -> bool:
        """Somebody has not upgraded fleet: their controller works until it meets what it does not know."""
        self.came += 1
        own = random.Random(f"{self.world.seed}/older/{self.came}")  # apart, so that everything else is drawn as ever
        if own.random() >= share:
            return False
        self.world.laptop(older_than=own.choice(USERS_WORDS))
        return True

    def somebody_watches(self) -> None:
        """The one that sees to it that all comes to its end."""
        self.world.laptop()

    def at_rest(self) -> None:
        """What is left once everything is over."""
        world, laws = self.world, self.world.laws
        now = world.clock()
        for made in world.cloud.listed.values():
            if made.request.tags["fleet"] == world.fleet_id and made.state.at(now) in ALIVE:
                laws.broken("nothing is left running", made.instance_id)
        for run in laws.state.runs.values():
            self.judge(run)
            laws.check_ledger(run)
        if world.bucket.list(layout.HEARTBEATS):
            laws.broken("the words of the dead are forgotten", world.bucket.list(layout.HEARTBEATS)[0].key)

    def judge(self, run: RunState) -> None:
        """One run's end."""
        laws = self.world.laws
        if not run.over:
            why = waits_for(self.user.state, run, self.user.observer.look(self.user.state))
            named = why is not None and ("no offer fits" in why or "lets no machine run" in why)
            if not named:
                laws.broken("a run that can finish does, with no help", f"{run.run_id}: {why or 'it names nothing'}")
            return
        limited = run.job.budget.run is not None or run.job.max_duration is not None
        if run.outcome == "succeeded":
            key = layout.models(run.name) + "model"
            data = self.world.bucket.data.get(key)
            if self.user.state.names[run.name] == run.run_id and (
                data is None or data[0].decode() != model_after(int(run.job.envs["STEPS"]))
            ):
                laws.broken("the model is the one that it would have been", run.run_id)
        elif run.outcome == "over-budget" and not limited:
            laws.broken("a run ends over budget only if it has one", run.run_id)
        elif run.outcome == "stopped" and run.run_id not in self.stopped:
            laws.broken("a run is stopped only by its user", run.run_id)
        elif run.outcome == "failed" and run.run_id not in self.hurt and "in a row" not in run.reason:
            laws.broken("a run fails only if its training does", f"{run.run_id}: {run.reason}")

    # --- what happens

    def hourly(self) -> None:
        """The laws look around."""
        world = self.world
        now, of_today = world.clock(), [c for c in world.laptops if not c.older]
        awake = [c for c in of_today if c.asleep_until <= now and c.cut_off_until <= now]
        if self.storm.on or not awake:
            world.laws.healthy_since = None
        elif world.laws.healthy_since is None:
            world.laws.healthy_since = world.clock()
        world.laws.look_around()
        world.at(3600, self.hourly)

    def storms(self) -> None:
        """Faults come and go."""
        if self.over:
            return
        self.storm.on = not self.storm.on
        self.world.says("WORLD", "a storm begins" if self.storm.on else "the storm is over")
        self.world.at(self.chance.uniform(1, 10 if self.storm.on else 20) * 3600, self.storms)

    def something(self) -> None:
        """One of the things that happen."""
        if self.over:
            return
        starts = 30 if self.hours >= LONG else 6
        things: list[tuple[float, Callable[[], None]]] = [
            (starts, self.start), (1, self.stop), (0.5, self.down), (1, self.resume), (0.5, self.note),
            (2, self.kill_laptop),
            (3, self.new_laptop), (2, self.sleep), (1, self.cut_off_laptop), (0.3, self.nobody_watches), (1, self.outage),
            (3, self.take), (2, self.kill_agent), (1.5, self.cut_off_machine), (0.5, self.fill_disk), (0.3, self.stranger),
            (0.3, self.forgotten), (0.7, self.crash), (0.5, self.stick), (0.5, self.delete_volume), (0.5, self.notice_twice),
        ]  # fmt: skip
        happens = self.chance.choices([thing for _, thing in things], [weight for weight, _ in things])[0]
        self.world.says("WORLD", happens.__name__.replace("_", " "))
        self.user.catch_up()
        try:
            happens()
        except FleetError as error:
            self.world.says("user", f"is told: {error.message}")
        self.world.at(self.chance.expovariate(1 / 1500), self.something)

    def _busy(self) -> list[RunState]:
        return [run for run in self.user.state.runs.values() if run.ended_at is None]

    def start(self) -> None:
        """The user starts a run."""
        if len(self._busy()) >= self.most:
            return
        chance = self.chance
        self.count += 1
        steps = chance.choice([5, 40, 150, 400])
        volume: dict[str, object] = {"size": chance.choice(["20GB", "500GB"])}
        if chance.random() < (0.03 if self.hours >= LONG else 0.2):
            volume["name"] = chance.choice(["data", "more"])
        if chance.random() < 0.3:
            volume["keep"] = "3h"
        fields: dict[str, object] = {
            "name": f"job{self.count}",
            "run": "train",
            "envs": {
                "STEPS": str(steps),
                "STEP_SECONDS": "1200" if self.hours >= LONG else "300",
                "DEAF": "1" if chance.random() < 0.1 else "0",
            },
            "outputs": ["model"],
            "resources": {
                "infra": chance.choice(self.world.kind.infras),
                "market": chance.choice(["spot", "spot", "spot-first", "on-demand"]),
                **({"max_price": "$0.40"} if chance.random() < 0.2 else {}),
            },
            "volume": volume,
            "checkpoint": {"keep": chance.choice([2, 5]), **({"every": "1h"} if chance.random() < 0.2 else {})},
        }
        if chance.random() < 0.25:
            fields["budget"] = {"run": chance.choice(["$1", "$4", "$30"])}
        own = random.Random(f"{self.world.seed}/budget/{self.count}")  # apart, so that everything else is drawn as ever
        if own.random() < 0.2:
            caps = {"day": own.choice(["$9", "$20", "$40"]), **({"month": "$300"} if own.random() < 0.3 else {})}
            caps["time_zone"] = own.choice(["UTC", "Europe/Berlin", "Asia/Kathmandu"])
            fields["budget"] = {**fields.get("budget", {}), **caps}  # type: ignore[dict-item]
        if chance.random() < 0.15:
            fields["max_duration"] = chance.choice(["5h", "40h"])
        elif fields["resources"]["market"] == "spot-first" and chance.random() < 0.5:  # type: ignore[index]
            work = steps * float(fields["envs"]["STEP_SECONDS"])  # type: ignore[index]
            fields["deadline"] = work * chance.uniform(1.1, 3) + 2 * HOUR
            if chance.random() < 0.8:
                fields["estimate"] = work * chance.uniform(0.9, 1.1)
        start_run(self.user, Job.model_validate(fields), self.world.folder, suffix=self.world.nonce)
        self.world.news(None)

    def _one(self) -> RunState | None:
        busy = self._busy()
        return self.chance.choice(busy) if busy else None

    def stop(self) -> None:
        """The user stops a run."""
        run = self._one()
        if run is not None:
            self.stopped.add(run.run_id)
            stop_run(self.user, run.run_id, "stop")

    def down(self) -> None:
        """The user takes a run down."""
        run = self._one()
        if run is not None:
            self.stopped.add(run.run_id)
            stop_run(self.user, run.run_id, "down")

    def resume(self) -> None:
        """The user lets a run go on."""
        ended = [r for r in self.user.state.runs.values() if r.outcome in ("stopped", "failed", "over-budget")]
        if ended and live_run(self.user.state, (run := self.chance.choice(ended)).name) is None:
            own = random.Random(f"{self.world.seed}/resume/{run.run_id}/{len(run.breaks)}")  # apart, as for the budgets
            more = run.job.budget.run if run.outcome == "over-budget" and own.random() < 0.6 else None
            resume_run(self.user, run.run_id, budget=more * own.choice([2, 5]) if more is not None else None)

    def note(self) -> None:
        """The user writes something down."""
        run = self._one()
        if run is not None:
            add_note(self.user, run.run_id, f"at {self.world.hours:.0f} h, {self.world.nonce()}")

    def delete_volume(self) -> None:
        """The user deletes a disk."""
        kept = [v for v in volumes(self.user) if not v.live and v.volume.attached_to is None]
        if kept:
            volume_id = self.chance.choice(kept).volume.volume_id
            self.world.laws.users_word.add(volume_id)
            delete_volume(self.user, volume_id)

    def kill_laptop(self) -> None:
        """A controller dies between two ticks."""
        if self.world.laptops:
            laptop = self.chance.choice(self.world.laptops)
            if not laptop.inside:
                self.world.laptops.remove(laptop)

    def new_laptop(self) -> None:
        """A controller is started."""
        of_today = [laptop for laptop in self.world.laptops if not laptop.older]
        if len(of_today) < 4 and not (len(self.world.laptops) < 6 and self.maybe_an_older_one(0.15)):
            self.world.laptop()

    def nobody_watches(self) -> None:
        """Every controller is gone for hours."""
        self.world.laptops[:] = [laptop for laptop in self.world.laptops if laptop.inside]
        self.world.at(self.chance.uniform(1, 12) * 3600, self.new_laptop)

    def sleep(self) -> None:
        """A lid is closed."""
        if self.world.laptops:
            self.chance.choice(self.world.laptops).asleep_until = self.world.clock() + self.chance.uniform(60, 8 * 3600)

    def cut_off_laptop(self) -> None:
        """A network is down."""
        if self.world.laptops:
            self.chance.choice(self.world.laptops).cut_off_until = self.world.clock() + self.chance.uniform(60, 3600)

    def _machine(self) -> Machine | None:
        found = [m for m in self.world.machines.values() if m.agent is not None and m.runs and not m.inside]
        return self.chance.choice(found) if found else None

    def cut_off_machine(self) -> None:
        """A machine cannot reach the bucket."""
        machine = self._machine()
        if machine is not None:
            machine.cut_off_until = self.world.clock() + self.chance.choice([60, 900, 7200]) * self.chance.uniform(0.5, 1.5)
            self.hurt.add(machine.request.run_id)  # outputs that cannot be exported fail a run, and say so

    def kill_agent(self) -> None:
        """The agent's process dies, and its training with it; the machine's service manager starts it again."""
        machine = self._machine()
        if machine is not None:
            if machine.training is not None:
                machine.training.kill()
            machine.agent = machine.training = None

    def crash(self) -> None:
        """A training crashes."""
        machine = self._machine()
        if machine is not None and machine.training is not None:
            self.hurt.add(machine.request.run_id)
            machine.training.crash()

    def fill_disk(self) -> None:
        """A disk is full."""
        machine = self._machine()
        if machine is not None and machine.agent is not None:
            self.hurt.add(machine.request.run_id)
            self.world.full_until[machine.agent.disk.root.name] = self.world.clock() + self.chance.uniform(600, 7200)

    def take(self) -> None:
        """The cloud takes a machine, with or without a word."""
        machine = self._machine()
        if machine is not None:
            notice = self.chance.random() < 0.4
            wait = 120 if notice else self.chance.uniform(0, 30)
            self.world.take(machine.instance_id, self.world.clock() + wait, notice=notice, late=self.chance.uniform(0, 119))

    def notice_twice(self) -> None:
        """A notice comes, and then another with another time."""
        machine = self._machine()
        if machine is not None:
            name = machine.instance_id
            self.world.take(name, self.world.clock() + 120)
            self.world.at(30, lambda: self.world.take(name, self.world.clock() + self.chance.choice([10, 300])))

    def outage(self) -> None:
        """A zone has nothing for a day."""
        zone = self.chance.choice([z for zones in self.world.cloud.manners.regions.values() for z in zones])
        now = self.world.clock()
        self.world.cloud.market.outages.setdefault(zone, []).append((now, now + self.chance.uniform(1, 24) * 3600))
        for machine in list(self.world.machines.values()):
            if self.world.cloud.instances[machine.instance_id].offer.zone == zone:
                self.world.take(machine.instance_id, now + self.chance.uniform(0, 60), notice=False)

    def stick(self) -> None:
        """Detaching takes hours, for a while."""
        self.world.cloud.slow_detach = self.chance.uniform(600, 6 * 3600)
        self.world.at(3600, lambda: setattr(self.world.cloud, "slow_detach", 0.0))

    def stranger(self) -> None:
        """Another fleet launches something in the same account."""
        self._launch_beside("fleet-2")

    def forgotten(self) -> None:
        """Something with our tag that no attempt ever launched."""
        self._launch_beside(self.world.fleet_id)

    def _launch_beside(self, fleet: str) -> None:
        made = self.chance.choice(list(self.world.cloud.instances.values())) if self.world.cloud.instances else None
        if made is None:
            return
        token = f"beside-{self.world.nonce()}"
        tags = {**made.request.tags, "fleet": fleet, "run": "forgotten-1", "token": token}
        request = made.request.model_copy(
            update={
                "token": token,
                "fleet_id": fleet,
                "run_id": "forgotten-1",
                "lease_until": self.world.clock() + 7 * 24 * HOUR,
                "tags": tags,
                "volume": None,
                "user_data": "",
            }
        )
        luck, self.world.luck = self.world.luck, Luck(never_speaks=1.0)
        try:
            self.world.providers(fleet_id=fleet)[self.world.kind.word].launch(request)
        finally:
            self.world.luck = luck
