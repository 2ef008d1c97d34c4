"""What a run knows of spot machines: whether one can be had, since when that is so, and how often it changed."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.core.cooling import is_cool
from fleet.core.deadlines.model import Sky
from fleet.core.state import AttemptState, FleetState, RunState
from fleet.model.base import Seconds
from fleet.model.cloud import Market, Offer

ROUND: Seconds = 60


def sky_of(state: FleetState, run: RunState, offers: Sequence[Offer], now: Seconds) -> Sky:
    """Spot is believed to be there until it is refused; a machine that runs is the proof of it."""
    from fleet.core.deadlines import Belief

    belief, since, down, up = Belief(), run.created_at, False, True
    for attempt in run.attempts.values():
        if not _spot(attempt) or attempt.launched_at is None:
            continue
        if down:
            belief = belief.see(not up, max(0.0, attempt.launched_at - since))
        if attempt.ended_at is None and attempt.serving:
            return belief.see(up, max(0.0, now - attempt.launched_at)).sky
        ended = attempt.notice.seen_at if attempt.notice is not None else attempt.ended_at
        ended = ended if ended is not None else now
        belief = belief.see(up, max(0.0, ended - attempt.launched_at))
        since, down = ended, attempt.ended_by in ("cloud", "unknown") or attempt.notice is not None
    if available(state, offers, now):
        return belief.see(up, 0.0).sky
    return belief.see(not up, max(0.0, now - since)).sky


def available(state: FleetState, offers: Sequence[Offer], now: Seconds) -> bool:
    """Whether a spot offer may be tried: one that was refused a moment ago may not."""
    return any(offer.market is Market.SPOT and is_cool(offer, state.cooling, now) is None for offer in offers)


def _spot(attempt: AttemptState) -> bool:
    return attempt.offer is not None and attempt.offer.market is Market.SPOT
