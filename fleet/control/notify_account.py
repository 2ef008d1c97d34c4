"""Letting the controller in the account tell ``ses:`` and ``sns:`` destinations of a fleet: it may write to them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleet.control.home import Home
from fleet.control.setups import aws_function
from fleet.control.telling import of_account
from fleet.model.errors import FleetError
from fleet.model.notify import Wish
from fleet.model.setup import AwsFunction
from fleet.report.send.destinations import destination
from fleet.store.objects import Objects

if TYPE_CHECKING:
    from fleet.providers.aws.calling import Calls

AGAIN = "who may set the account up lets it: the same command with their profile"


def account_of(objects: Objects) -> AwsFunction | None:
    """The controller in the account of a fleet there; None: there is none."""
    return aws_function(objects) if objects.url.startswith("s3:") else None


def let_account_tell(home: Home, objects: Objects, wish: Wish) -> str:
    """Have its function write to those who are wished for, and nobody else. What came of it, in words; empty: nothing."""
    try:
        function = account_of(objects)
        if function is None:
            return ""
        from fleet.providers.aws.notify_policy import allow

        wanted = _wanted(function, wish)
        if not allow(_calls(home, objects), function, wanted):
            return ""
    except (FleetError, OSError, ValueError) as error:
        told = " ".join(str(error).split())
        return f"the controller in the account could not be told whom it may write to: {told}; {AGAIN}"
    named = ", ".join(to for to in wish.to if of_account(to))
    return f"the controller in the account may write to {named}" if named else "the controller in the account tells nobody"


def may_not_tell(home: Home, objects: Objects, wish: Wish) -> str:
    """That its function may not write to whom it is to tell, and what to do; empty: it may, as far as one can see."""
    try:
        function = account_of(objects)
        if function is None or not wish.to:
            return ""
        if not any(of_account(to) for to in wish.to):
            return "the controller in the account reaches ses: and sns: only: name one of them with --to"
        from fleet.providers.aws.notify_policy import allowed

        if allowed(_calls(home, objects), function) != _wanted(function, wish):
            return "the controller in the account may not write to all of them: fleet notify on KIND… lets it"
    except (FleetError, OSError, ValueError):
        pass  # who may not look is told nothing
    return ""


def _wanted(function: AwsFunction, wish: Wish) -> dict[str, Any] | None:
    from fleet.providers.aws.notify_policy import wanted_policy
    from fleet.providers.aws.report_schedule import Mailing

    named = [destination(to) for to in wish.to if of_account(to)]
    mails = [
        Mailing(one.mail.sender, one.mail.to, one.mail.region or function.region) for one in named if one.scheme == "ses"
    ]
    return wanted_policy(function, mails, [one.topic for one in named if one.scheme == "sns"])


def _calls(home: Home, objects: Objects) -> Calls:
    from fleet.providers.aws.calling import Calls

    return Calls(home.aws_profile(objects.url))
