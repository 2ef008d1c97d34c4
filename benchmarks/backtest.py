"""Back-tests through the whole controller: simulated fleet-days per minute and core, and events per second beside them.

    python -m benchmarks.backtest [runs]

A fleet of one job of two days, on each named market, under each policy, and once with a deadline. Processor time is counted,
of this one process: what the computer does besides does not show. An event is a look of the controller, a round of an agent,
or something that becomes of a machine.
"""

from __future__ import annotations

import gc
import sys
import time

from benchmarks.peer import load
from fleet.backtest.many import alone
from fleet.backtest.named import NAMES, named_market
from fleet.backtest.policies import chosen
from fleet.backtest.whole import in_sim, simulate
from fleet.control.controller import uncollected
from fleet.model.job import Job

WANTED = 500
DAY = 86_400


def main() -> None:
    """Print a line for each market and policy, and the whole."""
    alone()
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"{runs} run(s) each; {load()}; wanted: {WANTED} fleet-days a minute and core")
    fields = {
        "name": "bench",
        "run": "t",
        "estimate": "2d",
        "resources": {"infra": "aws/us-east-1"},
        "volume": {"size": "50GB"},
    }
    job = Job.model_validate(fields)
    days = events = seconds = 0.0
    for market in NAMES:
        for name, one in chosen(job, []).items():
            found = _measured(f"{market}, {name}", one, market, runs)
            days, events, seconds = days + found[0], events + found[1], seconds + found[2]
        _measured(f"{market}, with a deadline of 3 days", job.model_copy(update={"deadline": 3.0 * DAY}), market, runs)
    print(_line("without a deadline", days, events, seconds))


def _measured(told: str, job: Job, market: str, runs: int) -> tuple[float, float, float]:
    drawn, one = named_market(market, job), in_sim(job)
    simulate(one, drawn, 10_000)  # what is imported and solved once
    gc.collect()
    with uncollected():
        began = time.process_time()
        found = [simulate(one, drawn, seed)[0] for seed in range(runs)]
        seconds = time.process_time() - began
    days, events = sum(each.simulated for each in found) / DAY, sum(each.wakes for each in found)
    print(_line(told, days, events, seconds))
    return days, events, seconds


def _line(told: str, days: float, events: float, seconds: float) -> str:
    return f"{told:<40} {days / seconds * 60:8,.0f} fleet-days a minute, {events / seconds:8,.0f} events a second"


if __name__ == "__main__":
    main()
