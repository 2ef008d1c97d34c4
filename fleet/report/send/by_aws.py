"""Through the user's AWS account: SES takes a whole mail, SNS a few words. No secret is needed for either."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING

from fleet.model.errors import FleetError, ProviderError
from fleet.report.send.rendered import Rendered

if TYPE_CHECKING:
    from fleet.providers.aws.calling import Calls
    from fleet.report.send.destinations import Mail

MOST_SUBJECT = 100
"""Characters that SNS takes, of ASCII."""
MOST_SMS = 1400
"""Characters: SNS cuts a text message into pieces, and drops what is longer than 1,600."""
ANYWHERE = SMTP.clone(cte_type="7bit")
"""Every server takes it so."""
DENIED = "SES must know the sender, and you must be allowed ses:SendEmail and ses:SendRawEmail; SNS: sns:Publish."
UNKNOWN = (
    "SES in {region} must know the sender (aws sesv2 create-email-identity --email-identity {sender}), and those told too \
while the account is in SES's sandbox."
)
NO_AWS = "pip install 'fleet[aws]'"


def by_ses(mail: Mail, message: Rendered, profile: str | None, region: str) -> None:
    """Send a mail. Raises FleetError."""
    calls, where = _calls(profile), mail.region or _region(region, profile)
    content = {"Raw": {"Data": mime(mail, message).as_bytes(policy=ANYWHERE)}}
    to = {"ToAddresses": list(mail.to)}
    try:
        calls("sesv2", where, "send_email", FromEmailAddress=mail.sender, Destination=to, Content=content)
    except ProviderError as error:
        error.hint = error.hint or UNKNOWN.format(sender=mail.sender, region=where)
        raise


def by_sns(topic: str, message: Rendered, profile: str | None) -> None:
    """Tell a topic's subscribers: those by mail the text, those by text message the short one. Raises FleetError."""
    import json

    calls, region = _calls(profile), topic.split(":")[3]
    told = {"default": message.brief[:MOST_SMS], "email": message.text, "sms": message.brief[:MOST_SMS]}
    subject = message.subject.encode("ascii", "replace").decode()[:MOST_SUBJECT]
    calls("sns", region, "publish", TopicArn=topic, Subject=subject, MessageStructure="json", Message=json.dumps(told))


def mime(mail: Mail, message: Rendered) -> EmailMessage:
    """The whole mail: text, and beside it the page with its images."""
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = message.subject, mail.sender, ", ".join(mail.to)
    made["Date"], made["Message-ID"] = formatdate(), make_msgid(domain=mail.sender.rpartition("@")[2])
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(message.text)
    if message.html:
        made.add_alternative(message.html, subtype="html")
        page = made.get_payload()[-1]  # type: ignore[index]
        assert isinstance(page, EmailMessage)
        for name, data in message.images.items():
            page.add_related(data, "image", "png", cid=f"<{name}>", filename=name, disposition="inline")
    return made


def _calls(profile: str | None) -> Calls:
    try:
        from fleet.providers.aws.calling import Calls
    except ImportError:
        raise FleetError("boto3 is not installed, which ses: and sns: need", NO_AWS) from None
    return Calls(profile, denied=DENIED)


def _region(region: str, profile: str | None) -> str:
    from fleet.providers.aws.session import aws_session

    found = region or aws_session(profile).region_name
    if not found:
        raise FleetError("no AWS region is configured", "Name SES's: ses:from@x>to@y?region=us-east-1")
    return str(found)
