"""Which offers are left alone for a while, and why: a refusal or an interruption says something about the offer."""

from __future__ import annotations

from fleet.core.pace import pace_of
from fleet.core.state import RunState
from fleet.model import events as ev
from fleet.model.cloud import Market, Offer
from fleet.model.errors import ErrorClass


def market_key(offer: Offer) -> str:
    """Names the whole market of a region: what a quota counts."""
    return f"{offer.provider}/{offer.region}/*/*/{offer.market.value}"


def is_cool(offer: Offer, cooling: dict[str, float], now: float) -> float | None:
    """Until when the offer is left alone; None if it may be tried."""
    until = max(cooling.get(offer.key, 0.0), cooling.get(market_key(offer), 0.0))
    return until if until > now else None


def cooled(run: RunState, event: ev.Event) -> dict[str, float]:
    """The cool-downs that a refusal brings, as {offer or market key: until}."""
    return _refused(run, event) if isinstance(event, ev.LaunchFailed) else {}


def rested(run: RunState, event: ev.Event) -> dict[str, float]:
    """Offers that were just taken back, as {offer key: until}: others are tried first, but they are better than waiting."""
    if isinstance(event, ev.NoticeSeen) and event.notice.kind == "notice":
        return _interrupted(run, event.attempt, event.at)
    if isinstance(event, ev.AttemptGone) and event.ended_by in ("cloud", "unknown"):
        return _interrupted(run, event.attempt, event.at)
    return {}


def _refused(run: RunState, event: ev.LaunchFailed) -> dict[str, float]:
    attempt = run.attempts.get(event.attempt)
    if attempt is None or attempt.try_no != event.try_no:
        return {}
    keys = {market_key(o) if event.error_class is ErrorClass.QUOTA else o.key: o for o in attempt.offers}
    return {
        key: event.at + wait
        for key, offer in keys.items()
        if (wait := pace_of(offer.provider).cooling(event.error_class)) > 0
    }


def _interrupted(run: RunState, number: int, at: float) -> dict[str, float]:
    attempt = run.attempts.get(number)
    offer = attempt.offer if attempt else None
    if offer is None or offer.market is not Market.SPOT or (attempt and attempt.terminate_at is not None):
        return {}
    return {offer.key: at + pace_of(offer.provider).cool_interrupted}
