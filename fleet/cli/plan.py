"""``fleet plan``."""

from __future__ import annotations

import json
from pathlib import Path

from fleet.cli.table import print_table
from fleet.cli.up import warn_of_missing_scripts
from fleet.cli.views import dollars
from fleet.control.fleets import holds_fleet, open_fleet, providers_here
from fleet.control.home import open_home
from fleet.control.offering import offering
from fleet.core.state import FleetState
from fleet.model.units import format_money
from fleet.store.workdir import read_job


def show(path: Path, *, as_json: bool) -> int:
    """A table of offers, and what would be made. Nothing is written, not even a fleet."""
    job, folder = read_job(path)
    warn_of_missing_scripts(job, folder)
    home = open_home()
    url = job.bucket or home.bucket
    if holds_fleet(url):
        controller = open_fleet(home, url)
        state, providers, now = controller.state, controller.observer.providers, controller.objects.now()
    else:
        state, providers, now = FleetState(), providers_here(home), 0.0
    plan = offering(state, providers.values(), job, now)
    if as_json:
        rows = [
            {
                "offer": p.offer.key,
                "usd_per_hour": dollars(p.offer.price),
                "on_demand_usd_per_hour": dollars(p.offer.on_demand_price),
                "with_volume_usd_per_hour": dollars(p.hourly),
                "with_volume_usd_per_day": dollars(p.daily),
                "accelerators": list(p.offer.accelerators),
                "chosen": p.chosen,
                "cooling": p.cooling,
            }
            for p in plan.offers
        ]
        made = {"volume_gb": job.volume.size, "volume_usd_per_month": dollars(plan.volume_monthly), "bucket": url}
        print(json.dumps({"offers": rows, "why": plan.why, "makes": made}, indent=2))
        return 0
    table: list[tuple[str, ...]] = [
        ("ZONE", "TYPE", "MARKET", "ACCELERATORS", "$/H", "ON-DEMAND", "WITH VOLUME/H", "PER DAY", "")
    ]
    for p in plan.offers:
        mark = "chosen" if p.chosen else "left alone for a while" if p.cooling else ""
        prices = (p.offer.price, p.offer.on_demand_price, p.hourly, p.daily)
        what = (p.offer.zone, p.offer.instance_type, p.offer.market.value, ", ".join(p.offer.accelerators) or "-")
        table.append((*what, *(format_money(price) for price in prices), mark))
    print_table(table)
    print(f"\n{plan.why}")
    monthly = format_money(plan.volume_monthly)
    print(f"A machine and a volume of {job.volume.size} GB ({monthly} a month) are made; state goes to {url}.")
    print(f"Start it: fleet up {path}")
    return 0
