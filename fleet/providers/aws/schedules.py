"""Switching the controller in the account on and off: its minute schedule, and the rules that hand EC2's events to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fleet.model.errors import ProviderError
from fleet.model.setup import AwsFunction
from fleet.providers.aws.calling import ABSENT, Calls

KEPT = (
    "GroupName", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target", "StartDate", "EndDate",
    "Description", "KmsKeyArn", "ActionAfterCompletion",
)  # fmt: skip
"""What a schedule is told anew whenever anything of it changes: what is left out falls back to a default."""


class Schedules:
    """Of one deployment."""

    def __init__(self, record: AwsFunction, calls: Calls) -> None:
        self._record, self._calls = record, calls

    def on(self) -> bool | None:
        """Whether all of it is on; None: the schedule is gone, or the rules are not as it is. Raises ProviderError."""
        minute = self.minute()
        agrees = minute is not None and all(self._rule(*one) in (None, minute) for one in self._record.rules.items())
        return minute if agrees else None

    def minute(self) -> bool | None:
        """Whether the function is called each minute; None: the schedule is gone. Raises ProviderError."""
        answer = self._schedule()
        return None if answer is None else answer.get("State") == "ENABLED"

    def turn(self, on: bool) -> bool:
        """Switch everything on, or off; True if anything was otherwise. What is gone is left.

        What cannot be switched keeps nothing else from it: then the first ProviderError is raised at the end.
        """
        changed, failed = False, list[ProviderError]()
        turns: list[Callable[[], bool]] = [partial(self._turn_minute, on=on)]
        turns += [partial(self._turn_rule, region, rule, on=on) for region, rule in self._record.rules.items()]
        for turn in turns:
            try:
                changed = turn() or changed
            except ProviderError as error:
                failed.append(error)
        if failed:
            raise failed[0]
        return changed

    def _rule(self, region: str, rule: str) -> bool | None:
        """Whether a rule is on; None: it is gone, or nobody says so now, which is no reason to switch anything."""
        try:
            answer = self._calls.unless(ABSENT, "events", region, "describe_rule", Name=rule)
        except ProviderError:
            return None
        return None if answer is None else answer.get("State") != "DISABLED"

    def _schedule(self) -> dict[str, Any] | None:
        record = self._record
        return self._calls.unless(ABSENT, "scheduler", record.region, "get_schedule", Name=record.minute)

    def _turn_minute(self, *, on: bool) -> bool:
        answer, state = self._schedule(), "ENABLED" if on else "DISABLED"
        if answer is None or answer.get("State") == state:
            return False
        kept = {key: answer[key] for key in KEPT if answer.get(key) is not None}
        record = self._record
        gone = self._calls.unless(
            ABSENT, "scheduler", record.region, "update_schedule", Name=record.minute, State=state, **kept
        )
        return gone is not None

    def _turn_rule(self, region: str, rule: str, *, on: bool) -> bool:
        answer = self._calls.unless(ABSENT, "events", region, "describe_rule", Name=rule)
        if answer is None or (answer.get("State") != "DISABLED") == on:
            return False
        return self._calls.unless(ABSENT, "events", region, "enable_rule" if on else "disable_rule", Name=rule) is not None
