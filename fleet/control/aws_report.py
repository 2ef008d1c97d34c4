"""The nightly report by the controller in the account: a schedule calls the function there, with this computer off."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleet import __version__
from fleet.control.aws_place import profile_of
from fleet.control.fleets import open_bucket
from fleet.control.home import Home
from fleet.control.host_plan import Step
from fleet.control.nightly import On, Wish
from fleet.control.setups import aws_function
from fleet.model.errors import FleetError
from fleet.model.setup import AwsFunction
from fleet.providers.aws.calling import Calls
from fleet.providers.aws.report_schedule import (
    Mailing,
    ReportSchedule,
    Scheduled,
    look_at_report,
    make_policy,
    make_schedule,
    remove_policy,
    remove_schedule,
    told_in,
)
from fleet.report.send.destinations import destination

SCHEDULE, POLICY = "schedule", "policy of the role"
FIRST = "`fleet controller deploy aws` puts this one there; then the same command."


@dataclass(frozen=True, slots=True)
class InAccount:
    """What is there, and what would be."""

    calls: Calls
    wanted: ReportSchedule
    found: Scheduled
    name: On = "account"

    def shown(self) -> Mapping[str, str]:
        """What AWS is told."""
        policy, schedule = self.wanted.policy(), self.wanted.schedule()
        return {
            self._policy: json.dumps(policy, indent=2) + "\n",
            self._schedule: json.dumps(
                {**schedule, "Target": {**schedule["Target"], "Input": self.wanted.event()}}, indent=2
            )
            + "\n",
        }

    @property
    def _schedule(self) -> str:
        return f"{SCHEDULE} {self.wanted.name} in {self.wanted.function.region}"

    @property
    def _policy(self) -> str:
        return f"{POLICY} {self.wanted.function.function}"

    def steps(self) -> tuple[Step, ...]:
        """The policy first: a schedule that may not tell anybody is of no use."""
        schedule, policy = self.found.like(self.wanted)
        steps = []
        if not policy:
            steps.append(Step("write", self._policy, "lets the function keep reports and tell those who were named"))
        if not schedule:
            at = f"calls the function at {self.wanted.hour:02d}:{self.wanted.minute:02d}, {self.wanted.zone}"
            steps.append(Step("write", self._schedule, at))
        return tuple(steps)

    def steps_away(self) -> tuple[Step, ...]:
        """What takes it away again."""
        steps = []
        if self.found.schedule is not None:
            steps.append(Step("remove", self._schedule, "called the function each night"))
        if self.found.policy is not None:
            steps.append(Step("remove", self._policy, "let it tell those who were named"))
        return tuple(steps)

    def carry_out(self, step: Step) -> None:
        """One of them."""
        away, schedule = step.kind == "remove", step.where == self._schedule
        if schedule and away:
            remove_schedule(self.calls, self.wanted.function)
        elif schedule:
            make_schedule(self.calls, self.wanted, new=self.found.schedule is None)
        elif away:
            remove_policy(self.calls, self.wanted.function)
        else:
            make_policy(self.calls, self.wanted)

    @property
    def told(self) -> Sequence[str]:
        """Whom the schedule that is there tells."""
        return told_in(self.found)


def in_account(home: Home, wish: Wish, to: Sequence[str], calls: Calls | None = None) -> InAccount:
    """What is there now. Raises FleetError if no controller was deployed, or if somebody cannot be told from there."""
    url, function = deployed(home, wish.bucket)
    if function is None:
        raise FleetError(
            f"there is no controller in the account that could send it (the fleet in {url or 'no bucket of AWS'})",
            "`fleet controller deploy aws` puts one there; or let this computer do it: --on systemd, launchd or cron",
        )
    calls = calls or Calls(profile_of(home))
    return InAccount(calls, schedule_for(url, function, wish, to), look_at_report(calls, function))


def deployed(home: Home, bucket: str | None) -> tuple[str, AwsFunction | None]:
    """The bucket of the fleet in AWS that is meant, and the controller in its account. Raises FleetError."""
    known = home.aws()
    url = bucket or (known.bucket if known is not None else "")
    if not url.startswith("s3://"):
        return "", None
    return url, aws_function(open_bucket(home, url))


def refuse_older(function: AwsFunction) -> None:
    """Raise FleetError for a function of another version: it may not know what it is asked."""
    if function.version != __version__:
        raise FleetError(f"the controller in the account is fleet {function.version}, this is {__version__}", FIRST)


def schedule_for(url: str, function: AwsFunction, wish: Wish, to: Sequence[str]) -> ReportSchedule:
    """What is wanted there. Raises FleetError for a destination that has a secret in it."""
    mails, topics = [], []
    for one in map(destination, to):
        if not one.account:
            raise FleetError(
                f"{one.shown} cannot be told from the account: what is secret in it stays on this computer",
                "ses: and sns: can; or let this computer send it: --on systemd, launchd or cron",
            )
        if one.scheme == "sns":
            topics.append(one.topic)
        else:
            mails.append(Mailing(one.mail.sender, one.mail.to, one.mail.region or function.region))
    bucket = url.removeprefix("s3://").partition("/")[0]
    return ReportSchedule(
        function, bucket, wish.hour, wish.minute, wish.zone, wish.quiet_nights, tuple(to), tuple(mails), tuple(topics)
    )
