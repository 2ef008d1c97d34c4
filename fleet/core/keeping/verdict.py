"""What keeps a run's deadline, now: the decision of ``core/deadlines``, by what is known of the run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from fleet.core.allowed import fitting
from fleet.core.deadlines.model import Decision, Do, Situation
from fleet.core.keeping.asking import Question, asked
from fleet.core.keeping.sky import sky_of
from fleet.core.keeping.work import Work, deadline_of, trains, work_of
from fleet.core.observed import Observed
from fleet.core.overheads import Overheads, of_runs
from fleet.core.pace import LOCAL, Pace, pace_of
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model.base import Micros, Seconds
from fleet.model.cloud import Market, Offer

MARGIN_COOLINGS = 2
"""On-demand may be refused for capacity too: all that fits, twice, for as long as it is then left alone each time."""
MARGIN_SHARE = 0.02
"""Of the work that is left: training is not as fast at every hour as it was measured to be."""
NOISE: Seconds = 60
"""A spot machine that trains is not left for so little slack: it is what heartbeats that come late make of it."""
RELIEF_RESTORES = 4
"""A machine that takes over waits for the other to save and for the volume to come: so many times a restore, until a run has
measured it."""
LOST: Seconds = 150
"""Training since the last checkpoint, on average: half of five minutes, or of what the job says if that is more. What was
lost until now is no measure: a machine may crash at the worst moment."""
LOCAL_MOST = Overheads(boot=5, restore=3, lost=5)
READY = ("waiting-volume", "waiting-predecessor")
"""In these phases a machine has booted, and waits for nothing but the one before it."""

Mood = Literal["planned", "unknown", "unpromised", "late"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, and the figures by which it was decided. Seconds are from now."""

    do: Do
    mood: Mood
    """``unknown``: nobody knows how much work there is; ``unpromised``: no on-demand offer is allowed; ``late``: it cannot
    be kept any more."""
    deadline: Seconds
    left: Seconds
    """To the deadline, the margin included."""
    margin: Seconds = 0.0
    overhead: Seconds = 0.0
    work: Work | None = None
    finish: Seconds = 0.0
    """When it will have ended if nothing interrupts it from now on, at the earliest."""
    on_demand: Micros = 0
    """What that costs, per hour; 0: not known."""
    latest: Seconds = 0.0
    """When on-demand must begin, at the latest."""
    decision: Decision | None = None

    @property
    def forced(self) -> bool:
        """Only this keeps the deadline."""
        return self.mood == "late" or (self.decision is not None and self.decision.forced)


def margin_of(work: Seconds, pace: Pace) -> Seconds:
    """What is kept back of the time to the deadline."""
    return MARGIN_COOLINGS * pace.cool_capacity + MARGIN_SHARE * work


def usual_overheads(known: RunState | FleetState, name: str, pace: Pace) -> Overheads:
    """Boot and restore as measured. On this computer a machine is a process, and all of it takes seconds."""
    runs = [known] if isinstance(known, RunState) else [run for run in known.runs.values() if run.name == name]
    every = [run.job.checkpoint.every / 2 for run in runs if run.job.checkpoint.every is not None]
    found = replace(of_runs(runs), lost=max(LOST, *every) if every else LOST)
    if pace is not LOCAL:
        return found
    return Overheads(
        min(found.boot, LOCAL_MOST.boot), min(found.restore, LOCAL_MOST.restore), min(found.lost, LOCAL_MOST.lost)
    )


def overhead_of(known: Overheads) -> Seconds:
    """What losing a spot machine costs at the most: a boot, a restore, and everything since the last checkpoint."""
    return _up(known.boot + known.restore + 2 * known.lost, 30)


def relief_of(run: RunState, known: Overheads) -> Seconds:
    """From telling a machine to let go until the one beside it trains, as measured in this run."""
    attempts = run.attempts.values()
    took = [
        next(b.resumed.at for b in attempts if b.number > a.number and b.resumed is not None) - a.relieved_at
        for a in attempts
        if a.relieved_at is not None and any(b.number > a.number and b.resumed is not None for b in attempts)
    ]
    return median(took) if took else RELIEF_RESTORES * known.restore


def judge(state: FleetState, run: RunState, observed: Observed) -> Verdict | None:
    """What to do for the run's deadline; None: it has none, or its job leaves no choice."""
    deadline = deadline_of(run)
    offers = allowed(run, [o for of_provider in observed.offers.values() for o in of_provider])
    if deadline is None or run.ended_at is not None or not (offers or len(run.serving) > 1):
        return None
    if len(run.serving) > 1 and len({offer.market for offer in offers}) < len(Market):
        offers = allowed(run, known_offers(run))  # two machines are there: one of them has to go, whatever is on offer
    now, left = observed.now, deadline - observed.now
    usual = [o.price for o in offers if o.market is Market.ON_DEMAND]
    if not any(o.market is Market.SPOT for o in offers):
        return None
    work = work_of(run, observed.heartbeats, now)
    if work is None:
        return Verdict(_unknown(run), "unknown", deadline, left, on_demand=min(usual, default=0))
    if not usual:
        return Verdict(Do.SPOT, "unpromised", deadline, left, work=work)
    pace = pace_of(offers[0].provider)
    known = _with_interval(usual_overheads(run, run.name, pace), run, observed)
    margin, overhead = margin_of(work.left, pace), overhead_of(known)
    now_at = _standing(state, run, observed, offers, work, known)
    finish = now_at.rem + now_at.work if now_at.running is not Do.WAIT else known.boot + known.restore + now_at.work
    figures = {"deadline": deadline, "left": left, "margin": margin, "overhead": overhead, "work": work, "finish": finish,
               "on_demand": min(usual)}  # fmt: skip
    needs = now_at.work + (now_at.rem if now_at.running is Do.ON_DEMAND else overhead)
    latest = left - margin - needs
    if finish > left:
        do = Do.SPOT if now_at.running is Do.SPOT and now_at.rem == 0 else Do.ON_DEMAND  # a restart would make it later
        return Verdict(do, "late", latest=latest, **figures)  # type: ignore[arg-type]
    short = latest < (-NOISE if now_at.running is Do.SPOT and now_at.rem == 0 else 0)
    if short:
        forced = Decision(Do.ON_DEMAND, needs / 3600, (), forced=True, late=False, latest_on_demand=latest)
        return Verdict(Do.ON_DEMAND, "planned", latest=latest, decision=forced, **figures)  # type: ignore[arg-type]
    spots = {o.key: o.price for o in offers if o.market is Market.SPOT}
    question = Question(
        horizon=max(1.0, deadline - run.created_at),
        least=0.5 * work.total,
        overhead=overhead,
        launch=known.boot + known.restore,
        restore=relief_of(run, known),
        price=min(spots.values()) / min(usual),
        zones=len(spots),
    )
    decision = asked(question, replace(now_at, left=left - margin - min(0.0, latest)))
    return Verdict(decision.do, "planned", latest=latest, decision=decision, **figures)  # type: ignore[arg-type]


def _with_interval(known: Overheads, run: RunState, observed: Observed) -> Overheads:
    """What a lost machine takes along is half of what lies between two checkpoints: as the one that trains shows it, or one
    before it did. A new machine has made none yet: forgot one that, each would begin with slack that its first checkpoint
    takes away again."""
    most = max((_between(one, run) for one in run.attempts.values()), default=0.0)
    carrier = run.carrier
    beat = observed.heartbeat(run.run_id, carrier.number, carrier.instance_id) if carrier is not None else None
    if carrier is not None and carrier.resumed is not None and beat is not None and beat.checkpoints:
        most = max(most, ((beat.saved or 0.0) - (carrier.resumed.trained or 0.0)) / beat.checkpoints)
    return replace(known, lost=max(known.lost, most / 2))


def _between(later: AttemptState, run: RunState) -> Seconds:
    """Between two checkpoints of the machine whose work another one resumed from; 0: it tells nothing."""
    brought = later.resumed
    if brought is None or brought.ref is None:
        return 0.0
    made = run.attempts.get(brought.ref.attempt)
    if made is None or made.number == later.number or made.resumed is None:
        return 0.0
    return ((brought.trained or 0.0) - (made.resumed.trained or 0.0)) / max(1, brought.ref.seq)


def allowed(run: RunState, offers: Sequence[Offer]) -> list[Offer]:
    """The offers that the job allows."""
    return [offer for offer in offers if fitting(offer, run.job.resources)]


def _unknown(run: RunState) -> Do:
    """Spot first, until that was lost or refused; then on-demand, which is safe whatever the work will turn out to be."""
    spots = [a for a in run.attempts.values() if a.offer is None or a.offer.market is Market.SPOT]
    lost = any(a.phase == "refused" or a.notice is not None or a.ended_at is not None for a in spots)
    on_demand = any(a.serving and a.offer is not None and a.offer.market is Market.ON_DEMAND for a in run.attempts.values())
    return Do.ON_DEMAND if lost or on_demand else Do.SPOT


def _standing(
    state: FleetState, run: RunState, observed: Observed, offers: Sequence[Offer], work: Work, known: Overheads
) -> Situation:
    """Where the run is. Its work is what is left as long as nothing is lost: the overhead counts what would be."""
    now, serving = observed.now, run.serving
    sky = sky_of(state, run, offers, now)
    if not serving:
        return Situation(0.0, work.kept, Do.WAIT, 0.0, sky)
    carrier = serving[0]
    running = Do.ON_DEMAND if market_of(carrier) is Market.ON_DEMAND else Do.SPOT
    rem = _rem(run, carrier, observed, known)
    unsaved = max(0.0, work.kept - work.left - 2 * known.lost) if running is Do.SPOT and rem == 0 else 0.0
    left = work.left + unsaved if rem == 0 else work.kept
    beside = None
    if len(serving) > 1 and running is Do.ON_DEMAND:
        beside = 0.0 if ready(run, serving[-1], observed) else max(1.0, _booting(serving[-1], now, known))
    return Situation(0.0, left, running, rem, sky, beside)


def market_of(attempt: AttemptState) -> Market:
    """Which market an attempt's machine is of, or will be."""
    return (attempt.offer or attempt.offers[0]).market


def ready(run: RunState, attempt: AttemptState, observed: Observed) -> bool:
    """Whether a machine that was launched beside another waits for nothing but that one."""
    beat = observed.heartbeat(run.run_id, attempt.number, attempt.instance_id)
    return attempt.phase == "running" and attempt.resumed is None and beat is not None and beat.phase in READY


def _rem(run: RunState, attempt: AttemptState, observed: Observed, known: Overheads) -> Seconds:
    """Until it trains: never said to be nothing before it does."""
    beat = observed.heartbeat(run.run_id, attempt.number, attempt.instance_id)
    if trains(attempt, beat):
        return 0.0
    relieved = max((a.relieved_at for a in run.attempts.values() if a.relieved_at is not None and a.live), default=None)
    if relieved is not None and attempt.resumed is None and attempt.began_at is not None:
        return max(1.0, relief_of(run, known) - (observed.now - relieved))
    if attempt.began_at is None:
        return max(1.0, _booting(attempt, observed.now, known)) + known.restore
    return max(1.0, known.restore - max(0.0, observed.now - attempt.began_at))


def _booting(attempt: AttemptState, now: Seconds, known: Overheads) -> Seconds:
    return known.boot - (now - (attempt.launched_at if attempt.launched_at is not None else attempt.intended_at))


def _up(value: Seconds, step: Seconds) -> Seconds:
    return math.ceil(value / step - 1e-9) * step


def known_offers(run: RunState) -> tuple[Offer, ...]:
    """What the run's own launches asked for, at the prices of then, and the same on demand: for those who only look."""
    found = {offer.key: offer for attempt in run.attempts.values() for offer in attempt.offers}
    for offer in list(found.values()):
        usual = offer.model_copy(update={"market": Market.ON_DEMAND, "price": offer.on_demand_price})
        found.setdefault(usual.key, usual)
    return tuple(found.values())
