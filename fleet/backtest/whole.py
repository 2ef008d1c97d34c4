"""One run through the whole controller: journal, plan, a strict cloud and its machines, on a clock that jumps.

Nobody polls: whoever acts is woken when something can have changed for it. What a controller that looks every ten seconds
would see between two such moments is what it saw before.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass

from fleet import __version__
from fleet.backtest.agent import SimAgent
from fleet.backtest.bucket import Bucket
from fleet.backtest.looking import next_look
from fleet.backtest.market import Market
from fleet.backtest.ways import Ways
from fleet.control.controller import Controller, Tick
from fleet.core.actions import ForgetBeat, Launch, Record, WriteDesired
from fleet.core.costs import run_cost
from fleet.core.state import RunState
from fleet.model.base import Micros, Seconds
from fleet.model.cloud import InstanceState
from fleet.model.cloud import Market as Way
from fleet.model.documents import Desired
from fleet.model.events import Event, RunCreated
from fleet.model.job import Job
from fleet.providers.sim.clock import START, VirtualClock
from fleet.providers.sim.cloud import Manners, SimCloud
from fleet.providers.sim.provider import SimProvider
from fleet.providers.sim.things import SimInstance
from fleet.store.journal import Journal

FLEET = "simulated"
REFUSED = frozenset({"launch-intended", "launch-failed"})
"""After nothing but these the next look is due when an offer may be tried again: which may be at once."""
LONGEST_FACTOR = 40
"""A run that took so many times its work is given up: its market has nothing for it."""
LONGEST_LEAST: Seconds = 14 * 86_400


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one run."""

    seed: int
    cost: Micros
    """Machines and disks, until the run ended."""
    compute: Micros
    on_demand: Micros
    """The same machines' hours at on-demand's price, with the same disks."""
    finish: Seconds | None
    """From its beginning; None: it did not finish while it was watched."""
    late: bool
    """There was a deadline, and it did not finish by it."""
    interruptions: int
    lost: Seconds
    """Work that was done more than once."""
    launches: int
    refusals: int
    """For want of capacity."""
    spot: Seconds
    """Machine time."""
    usual: Seconds
    """Machine time on demand."""
    simulated: Seconds
    looks: int
    """Ticks of the controller."""
    wakes: int
    """Everything that happened: ticks, agents' rounds, the cloud's doings."""


class World:
    """A clock, a bucket, a cloud, one controller, and machines with their agents."""

    def __init__(self, job: Job, market: Market, seed: int, ways: Ways | None = None) -> None:
        self.ways = ways = ways or Ways()
        assert job.estimate is not None
        self.deadline = job.deadline if not isinstance(job.deadline, str) else None
        self.job, self.work, self.seed = job, job.estimate, seed
        self.every = job.checkpoint.every or ways.every
        self.clock = VirtualClock(START)
        self.chance = random.Random(f"world {seed}")  # noqa: S311 - a simulation
        self.longest = max(LONGEST_LEAST, LONGEST_FACTOR * self.work, 2 * (self.deadline or 0.0))
        self.bucket = Bucket(self.clock)
        self.bucket.on_change = self._changed
        course = market.draw(seed, self.clock())
        course.closing = ways.notice
        self.cloud = SimCloud(self.clock, seed, _manners(market, ways), course)
        self.cloud.on_made = self._made
        self.agents: dict[tuple[str, int], SimAgent] = {}
        self.desired: dict[str, Desired] = {}
        """As the machines have read it."""
        self.events: list[Event] = []
        self.looks = self.wakes = 0
        self._queue: list[tuple[Seconds, int, object]] = []
        self._pushed = self._nonces = 0
        self._look_at = float("inf")
        self._alert_until = 0.0
        self._offs: set[str] = set()
        journal = Journal(self.bucket, FLEET, by="simulate", version=__version__, nonce=self._nonce)
        provider = SimProvider(self.cloud, FLEET)
        self.controller = Controller(self.bucket, journal, FLEET, {"sim": provider}, on_event=self.events.append)
        self.controller.snapshot_every = 1 << 60
        self.controller.observer.every = ways.quiet

    def _nonce(self) -> str:
        self._nonces += 1
        return f"{self.seed}-{self._nonces}"

    # --- time

    def push(self, at: Seconds, who: object) -> None:
        """Let somebody be woken at a time."""
        self._pushed += 1
        heapq.heappush(self._queue, (max(at, self.clock()), self._pushed, who))

    def news(self) -> None:
        """Something changed: the controller sees it at its next look, which is soon."""
        self._look(self.clock() + self.chance.uniform(0.2, self.ways.pace))

    def _look(self, at: Seconds) -> None:
        if at < self._look_at:
            self._look_at = at
            self.push(at, self.controller)

    def _alert(self, at: Seconds) -> None:
        """From a moment on the cloud shows something new, sooner or later."""
        self.push(at, "cloud")

    def _made(self, made: SimInstance) -> None:
        running = made.state.since(InstanceState.RUNNING) or self.clock()
        agent = SimAgent(self, made)
        self.agents[agent.boot.run_id, agent.boot.attempt] = agent
        self.push(running + self.cloud.draw(f"{made.instance_id}/speaks", self.ways.speaks), agent)
        if made.take_at is not None:
            warned = self.ways.notice > 0
            self.cloud.take(made.instance_id, at=made.take_at, notice=warned, rebalance=warned)
        for at in (made.notice_at, made.rebalance_at):
            if at is not None:
                self.push(max(at, running) + self.chance.uniform(0.1, 1.5), agent)
        if made.take_at is not None:
            self._alert(made.take_at)
            self.push(made.take_at, agent)

    def power_off(self, instance_id: str) -> None:
        """A machine ends itself."""
        self.cloud.power_off(instance_id)
        self._alert(self.clock())

    def _changed(self, key: str, data: bytes) -> None:
        """Agents read what they should do every few seconds."""
        if key.endswith("/desired.json"):
            read = Desired.model_validate_json(data)
            self.push(self.clock() + self.chance.uniform(0.5, 10), read_by(self, key.split("/")[1], read))

    # --- the run

    def run(self) -> RunState:
        """Let the run go on until it is over, or nobody waits any longer."""
        now = self.clock()
        run_id = f"{self.job.name}-{self.seed:08x}"
        created = RunCreated(at=now, run_id=run_id, name=self.job.name, job=self.job, mounts={})
        self.controller.record([created])
        self._look(now)
        end = now + self.longest
        while self._queue and not self.over(run_id):
            at, _, who = heapq.heappop(self._queue)
            if at > end:
                break
            if at > self.clock():
                self.clock.advance(at - self.clock())
            self._wake(who, at)
        return self.controller.state.runs[run_id]

    def over(self, run_id: str) -> bool:
        """Nothing runs any more, and every price is known."""
        state = self.controller.state
        return state.runs[run_id].over and not state.unsettled

    def _wake(self, who: object, at: Seconds) -> None:
        self.wakes += 1
        if who is self.controller:
            if at < self._look_at:
                return
            self._tick()
        elif isinstance(who, SimAgent):
            self.cloud.evolve()
            due = who.wake()
            if due is not None:
                self.push(due, who)
        elif callable(who):
            who()
        else:
            self._cloud_did()

    def _cloud_did(self) -> None:
        """Something became of a machine: it is seen once listings show it."""
        self.cloud.evolve()
        now = self.clock()
        self._alert_until = max(self._alert_until, now + self.ways.lag + self.ways.pace)
        for made in self.cloud.listed.values():
            if made.ended_by is not None and made.instance_id not in self._offs:
                self._offs.add(made.instance_id)
                agent = self.agents.get((made.request.run_id, made.request.attempt))
                if agent is not None:
                    agent.gone()
                off = made.state.since(InstanceState.TERMINATED)
                if off is not None and off > now:
                    self._alert(off)
        self.news()

    def _tick(self) -> None:
        self._look_at = float("inf")
        self.looks += 1
        tick = self.controller.tick()
        now = self.clock()
        if _acted(tick):
            self._cloud_did()
        if now < self._alert_until or any(event.type not in REFUSED for event in tick.events):
            self._look(now + self.ways.pace)
        else:
            self._look(next_look(self.controller.state, tick.observed, self.ways))


def read_by(world: World, run_id: str, read: Desired) -> object:
    """The agents of a run come to know what they should do."""

    def do() -> None:
        world.desired[run_id] = read
        for (run, _), agent in list(world.agents.items()):
            if run == run_id and not agent.over:
                due = agent.wake() if agent.phase != "booting" else None
                if due is not None:
                    world.push(due, agent)

    return do


def _acted(tick: Tick) -> bool:
    """Whether the cloud shows something new since: a launch that it refused changed nothing there."""
    launched = any(event.type == "launch-succeeded" for event in tick.events)
    return launched or any(not isinstance(action, (Launch, Record, WriteDesired, ForgetBeat)) for action in tick.actions)


def _manners(market: Market, ways: Ways) -> Manners:
    return Manners(
        types=dict(market.types),
        regions=dict(market.regions),
        boot=ways.boot,
        shutdown=ways.shutdown,
        disk=ways.disk,
        lag=ways.lag,
        notice=ways.notice,
        spot_quota=64,
        on_demand_quota=64,
        first_dead_man=7 * 86_400,
        minimum_seconds=ways.minimum_seconds,
        free_if_interrupted_within=ways.free_if_interrupted_within,
        volume_price=ways.volume_price,
    )


def in_sim(job: Job) -> Job:
    """The job as the simulated cloud takes it: the same limits, and nothing that would have to be packed or found out."""
    resources = job.resources
    ways = tuple(one.model_copy(update={"infra": _infra(one.infra)}) for one in resources.any_of)
    placed = resources.model_copy(update={"infra": _infra(resources.infra), "any_of": ways, "image_id": None})
    nothing: dict[str, object] = {
        "workdir": None,
        "stack": None,
        "run": "train",
        "bucket": None,
        "secrets": (),
        "file_mounts": {},
    }
    volume = job.volume.model_copy(update={"name": None})
    return job.model_copy(update={"resources": placed, "volume": volume, "outputs": (), "envs": {}, **nothing})


def _infra(infra: str) -> str:
    _, _, rest = infra.partition("/")
    return f"sim/{rest}" if rest else "sim"


def simulate(
    job: Job, market: Market, seed: int, ways: Ways | None = None, deadline: Seconds | None = None
) -> tuple[Outcome, Sequence[Event]]:
    """One run of a job (``in_sim``) on one course of a market: what became of it, and its journal.

    ``deadline`` is what it is held against if it has none itself.
    """
    world = World(job, market, seed, ways)
    run = world.run()
    return outcome_of(world, run, deadline), world.events


def outcome_of(world: World, run: RunState, deadline: Seconds | None = None) -> Outcome:
    """A run in figures."""
    now = world.clock()
    billing = {name: p.capabilities.billing for name, p in world.controller.observer.providers.items()}
    cost = run_cost(run, now, billing)
    done = run.outcome == "succeeded" and run.ended_at is not None
    finish = run.ended_at - run.created_at if done and run.ended_at is not None else None
    attempts = [a for a in run.attempts.values() if a.launched_at is not None and a.offer is not None]
    hours = dict.fromkeys(Way, 0.0)
    for a in attempts:
        if a.offer is not None and a.launched_at is not None:
            hours[a.offer.market] += (a.ended_at if a.ended_at is not None else now) - a.launched_at
    refused = sum(1 for event in world.events if event.type == "launch-failed" and event.error_class.value == "capacity")
    deadline = world.deadline if world.deadline is not None else deadline
    return Outcome(
        seed=world.seed,
        cost=cost.total,
        compute=cost.compute,
        on_demand=cost.on_demand,
        finish=finish,
        late=deadline is not None and (finish is None or finish > deadline),
        interruptions=sum(1 for a in attempts if a.notice is not None or a.ended_by == "cloud"),
        lost=sum(agent.lost for agent in world.agents.values()),
        launches=len(attempts),
        refusals=refused,
        spot=hours[Way.SPOT],
        usual=hours[Way.ON_DEMAND],
        simulated=now - run.created_at,
        looks=world.looks,
        wakes=world.wakes,
    )
