"""Laws of machines: when one may be launched, when it counts as gone, and that nobody waits without a word."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fleet.control.observe import Observer
from fleet.core.actions import Action
from fleet.core.fold import fold_all
from fleet.core.observed import Observed
from fleet.core.plan import plan
from fleet.core.plan.launching import waits_for
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model import events as ev
from fleet.model.base import Seconds, document_bytes
from fleet.model.cloud import InstanceState, LaunchRequest, Market, Offer
from fleet.model.errors import ErrorClass
from fleet.providers.sim.things import SimInstance
from fleet.providers.wrap.around import Call
from tests.simulation.chaos.more_laws import Part

if TYPE_CHECKING:
    from tests.simulation.chaos.laws import Laws

ALIVE = (InstanceState.PENDING, InstanceState.RUNNING)
CARRIES = ("intended", "launched", "running")
"""In these phases an attempt carries its run; in every other it is being replaced."""
OVERTAKEN: Seconds = 200
"""A plan is acted on for half a minute; a slow bucket lies between a look and the call."""
ON_ITS_WAY: Seconds = 60
"""What was sent arrives within this."""
ASKED_WITHIN: Seconds = 1800
"""What is to end is asked to every quarter of a minute by whoever is awake, and at each look of a quiet one."""
NAMED_WITHIN: Seconds = 2 * 3600
"""A run that has no machine has one again, or says why not; one that the user stopped is over."""
LEFT_ALONE: dict[ErrorClass, Seconds] = {ErrorClass.CAPACITY: 300, ErrorClass.QUOTA: 3600}
"""docs and design.md, section 5: a refusal for capacity cools the offer, one for quota its whole market."""


class Machines(Part):
    """When machines begin and end."""

    def __init__(self, laws: Laws) -> None:
        super().__init__(laws)
        self._requests: dict[str, bytes] = {}
        self._left: dict[tuple[str, int, int], Seconds] = {}
        """When a try was intended no longer."""
        self._asked: dict[str, Seconds] = {}
        """When a machine was last asked to end."""
        self._cool: dict[str, Seconds] = {}
        self._mute: dict[str, Seconds] = {}
        self._nameless: dict[str, Seconds] = {}
        """Since when, in each look since, a run has named nothing that it waits for."""
        self._spoken: dict[str, Seconds] = {}
        """When the journal last said something of a run."""
        self._observer: Observer | None = None
        self._planned: tuple[tuple[int, Seconds], list[Action]] | None = None

    # --- calls

    def called(self, call: Call) -> None:
        if call.method == "terminate":
            self._asked[str(call.arguments["instance_id"])] = self.world.clock()
        request = call.arguments.get("request")
        if call.method != "launch" or not isinstance(request, LaunchRequest):
            return
        digest = hashlib.sha256(document_bytes(request)).digest()
        if self._requests.setdefault(request.token, digest) != digest:
            self.laws.broken("a token names one request", f"{request.run_id} #{request.attempt} try {request.try_no}")
        left = self._left.get((request.run_id, request.attempt, request.try_no))
        if left is not None and self.world.clock() - left > OVERTAKEN:
            late = self.world.clock() - left
            self.laws.broken("no stale plan is acted on", f"{request.run_id} #{request.attempt}, decided {late:.0f} s ago")

    def launched(self, made: SimInstance) -> None:
        """Judged from the cloud: what else lives for the run is being replaced, or nobody's and collected soon."""
        run_id, now = made.request.tags["run"], self.world.clock()
        run = self.laws.state.runs.get(run_id)
        most = run.job.resources.max_price if run is not None else None
        price = self.world.cloud.price_in_force(made, now)
        if most is not None and price > most:
            self.laws.broken(
                "nothing is launched above its bid", f"{made.instance_id} of run {run_id} at {price}, not {most}"
            )
        lease = made.request.lease_until
        if run is not None and lease is not None and lease <= now:
            what = f"{made.instance_id} of run {run_id}, whose lease was over {now - lease:.0f} s ago"
            self.laws.broken("no stale plan is acted on", what)
        left = self._left.get((run_id, int(made.request.tags["attempt"]), int(made.request.tags["try"])))
        if left is not None:
            # Another controller gave the try up while the call was on its way: nobody's, or to end with its attempt.
            if now - left > OVERTAKEN + ON_ITS_WAY:
                what = f"{made.instance_id} of run {run_id}, given up {now - left:.0f} s ago"
                self.laws.broken("no stale plan is acted on", what)
        elif run is not None:
            self._beside(run, made)

    def _beside(self, run: RunState, made: SimInstance) -> None:
        for other in self.world.cloud.listed.values():
            tags, alive = other.request.tags, other.ended_by is None and other.state.at(self.world.clock()) in ALIVE
            if other is made or not alive or (tags.get("run"), tags.get("fleet")) != (run.run_id, self.world.fleet_id):
                continue
            attempt = run.attempts.get(int(tags["attempt"]))
            if attempt is None or attempt.instance_id != other.instance_id:
                continue
            if attempt.phase in (*CARRIES, "gone") and not _takes_over(run, attempt, made):
                what = f"{made.instance_id} of run {run.run_id} beside {other.instance_id} ({attempt.phase})"
                self.laws.broken("the machines of a run are the one that it wants and those being replaced", what)

    # --- the journal

    def recorded(self, entry: dict[str, Any], before: FleetState, events: Sequence[ev.Event]) -> None:
        now = self.world.clock()
        for event in events:
            if isinstance(event, ev.AttemptGone):
                self._gone(before, event)
            elif isinstance(event, ev.LaunchIntended):
                self._intended(event)
        for event in events:
            if isinstance(event, ev.LaunchFailed):
                self._refused(before, event)
            self._spoken[getattr(event, "run_id", "")] = now
        for run_id in {getattr(event, "run_id", "") for event in events} & before.runs.keys():
            after = self.laws.state.runs[run_id].attempts
            for number, attempt in before.runs[run_id].attempts.items():
                if (attempt.phase == "intended") != (after[number].phase == "intended"):
                    self._left[run_id, number, attempt.try_no] = now

    def _gone(self, before: FleetState, event: ev.AttemptGone) -> None:
        attempt = before.runs[event.run_id].attempts.get(event.attempt)
        if attempt is None or attempt.phase == "gone":
            return
        for made in self.world.cloud.listed.values():
            mine = made.instance_id == attempt.instance_id or made.request.token == attempt.token
            if mine and made.ended_by is None and made.state.at(self.world.clock()) in ALIVE:
                self.laws.broken(
                    "what is recorded as gone is gone", f"run {event.run_id} #{event.attempt} {made.instance_id}"
                )

    def _refused(self, before: FleetState, event: ev.LaunchFailed) -> None:
        attempt = before.runs[event.run_id].attempts.get(event.attempt)
        wait = LEFT_ALONE.get(event.error_class)
        if attempt is None or wait is None or attempt.try_no != event.try_no:
            return
        for offer in attempt.offers:
            key = _market(offer) if event.error_class is ErrorClass.QUOTA else offer.key
            self._cool[key] = max(self._cool.get(key, 0.0), event.at + wait)

    def _intended(self, event: ev.LaunchIntended) -> None:
        for offer in event.offers:
            until = max(self._cool.get(offer.key, 0.0), self._cool.get(_market(offer), 0.0))
            if until > event.at:
                what = f"run {event.run_id} #{event.attempt} try {event.try_no}: {offer.key}"
                self.laws.broken("what was refused is left alone for a while", what)
                return

    # --- now and then

    def look_around(self) -> None:
        watched = self.laws.healthy_since
        if watched is None:
            self._mute.clear()
            self._nameless.clear()
            return
        for run in self.laws.state.runs.values():
            for attempt in run.live_attempts:
                self._ends(run, attempt, watched)
            self._names(run, watched)

    def _ends(self, run: RunState, attempt: AttemptState, watched: Seconds) -> None:
        made = self.world.cloud.listed.get(attempt.instance_id or "")
        if made is None or attempt.terminate_at is None or made.ended_by is not None:
            return
        asked = self._asked.get(made.instance_id, 0.0)
        if self.world.clock() - max(watched, attempt.terminate_at, asked) > ASKED_WITHIN + self.world.seldom:
            self.laws.broken("what is to end is asked until it has ended", f"run {run.run_id} {made.instance_id}")

    def _names(self, run: RunState, watched: Seconds) -> None:
        """Waiting is allowed for ever, as long as it says for what; silence is not."""
        now = self.world.clock()
        carried = any(self._carries(attempt, now) for attempt in run.attempts.values())
        if run.over or (run.want == "train" and run.ended_at is None and carried):
            self._mute.pop(run.run_id, None)
            self._nameless.pop(run.run_id, None)
            return
        since = max(self._mute.setdefault(run.run_id, now), watched, run.want_at, run.ended_at or 0.0)
        if run.want == "train" and run.ended_at is None:
            since = max(since, self._spoken.get(run.run_id, 0.0))  # it tries
        if now - since <= NAMED_WITHIN + 2 * self.world.seldom:
            self._nameless.pop(run.run_id, None)
            return
        if run.want != "train" or run.ended_at is not None:
            self.laws.broken("every run ends, or waits for something that it names", f"{run.run_id} is to end, and does not")
        elif self._why(run) is None:
            # What it waited for may have come a moment ago: it has as long again to do something about it.
            if now - self._nameless.setdefault(run.run_id, now) > NAMED_WITHIN + 2 * self.world.seldom:
                self.laws.broken("every run ends, or waits for something that it names", f"{run.run_id} names nothing")
            return
        self._nameless.pop(run.run_id, None)
        self._mute[run.run_id] = now

    def _carries(self, attempt: AttemptState, now: Seconds) -> bool:
        made = self.world.cloud.listed.get(attempt.instance_id or "")
        return attempt.phase in CARRIES and made is not None and made.state.at(now) in ALIVE

    def _why(self, run: RunState) -> str | None:
        if self._observer is None:
            self._observer = Observer(self.world.bucket, self.world.providers())
        state = self.laws.state
        observed = self._observer.look(state)
        return waits_for(state, run, observed) or self._others_are_first(run, observed)

    def _others_are_first(self, run: RunState, observed: Observed) -> str | None:
        """What the fleet's budget leaves for one more machine goes to the longer lease or the launch of another run."""
        state = self.laws.state
        if state.budget is None:
            return None
        if self._planned is None or self._planned[0] != (state.head, observed.now):
            self._planned = (state.head, observed.now), plan(state, observed)
        told = (action.intention for action in self._planned[1])
        leases = [one for one in told if isinstance(one, (ev.LaunchIntended, ev.LeaseExtended)) and one.run_id != run.run_id]
        return waits_for(fold_all(state, [(state.head, state.at, leases)]), run, observed) if leases else None


def _market(offer: Offer) -> str:
    return f"{offer.provider}/{offer.region}/{offer.market.value}"


def _takes_over(run: RunState, older: AttemptState, made: SimInstance) -> bool:
    """A deadline's second machine: launched to take the only one's place, in the other market. On demand may come before the
    other trains; spot, which is for saving money, comes beside one that does."""
    if run.job.deadline is None or older.phase not in CARRIES or older.offer is None:
        return False
    only = sum(one.phase in CARRIES for one in run.attempts.values()) <= 2
    newer = int(made.request.tags["attempt"]) > older.number
    trains = older.phase == "running" and older.resumed is not None
    return (
        only and newer and older.offer.market is not made.offer.market and (made.offer.market is Market.ON_DEMAND or trains)
    )
