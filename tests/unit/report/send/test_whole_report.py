"""A whole night's report, charts and all, as it arrives."""

from __future__ import annotations

import re
from email.message import EmailMessage
from typing import Any

from fleet.report.rendering import rendered
from fleet.report.send import send
from tests.unit.report.samples import NIGHTS
from tests.unit.report.send.servers import mail_server, web_hook
