"""Which offers are left alone for a while, and why: a refusal or an interruption says something about the offer."""

from __future__ import annotations

from fleet.core.allowed import providers_of
from fleet.core.pace import pace_of
from fleet.core.state import AttemptState, RunState
from fleet.model import events as ev
from fleet.model.cloud import Market, Offer
from fleet.model.errors import ErrorClass

STOPS = (ErrorClass.DENIED, ErrorClass.INVALID)
"""Refusals that no other offer of the same provider would mend."""


def market_key(offer: Offer) -> str:
    """Names the whole market of a region: what a quota counts."""
    return f"{offer.provider}/{offer.region}/*/*/{offer.market.value}"


def provider_key(provider: str) -> str:
    """Names all that a provider sells: what one does not let this fleet do, or does not answer, another may."""
    return f"{provider}/*/*/*/*"


def is_cool(offer: Offer, cooling: dict[str, float], now: float) -> float | None:
    """Until when the offer is left alone; None if it may be tried."""
    keys = (offer.key, market_key(offer), provider_key(offer.provider))
    until = max(cooling.get(key, 0.0) for key in keys)
    return until if until > now else None


def cooled(run: RunState, event: ev.Event) -> dict[str, float]:
    """The cool-downs that a refusal brings, as {key of an offer, a market or a provider: until}."""
    if isinstance(event, ev.LaunchFailed):
        return _refused(run, event)
    return _unanswered(run, event) if isinstance(event, ev.TerminateIntended) else {}


def given_up(run: RunState, attempt: AttemptState | None) -> bool:
    """Whether the end of an attempt means that its launch was never answered, and that another provider may serve."""
    unanswered = attempt is not None and attempt.phase == "intended" and attempt.instance_id is None
    return unanswered and run.want == "train" and has_choice(run)


def has_choice(run: RunState) -> bool:
    """Whether a job may be served by several providers: then none of them is worth waiting for."""
    return len(providers_of(run.job.resources)) > 1


def _unanswered(run: RunState, event: ev.TerminateIntended) -> dict[str, float]:
    attempt = run.attempts.get(event.attempt)
    if attempt is None or not given_up(run, attempt):
        return {}
    return {provider_key(o.provider): event.at + pace_of(o.provider).cool_interrupted for o in attempt.offers}


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
    if event.error_class in STOPS:
        alone = not has_choice(run)  # then the run waits for its user's word
        return {} if alone else {provider_key(o.provider): event.at + pace_of(o.provider).cool_quota for o in attempt.offers}
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
