"""How long `fleet up` takes until the call that launches a machine is sent, and what a tick asks of EC2.

moto plays the account, on this computer, behind a recorder that notes when each call arrives. Wanted: under 2 s from the
shell on warm caches, and at most two calls a region and tick, however many runs.

python -m benchmarks.launching
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.aws.ground import AMI
from tests.aws.moto import CREDENTIALS, moto_server
from tests.aws.proxy import Proxy, proxy_before

ROUNDS = 7
RUNS = 3
TICKS = 5
JOB = f"""name: NAME
resources: {{infra: aws/us-east-1, instance_type: [c5.2xlarge], market: spot, image_id: {AMI}}}
volume: {{size: 8GB}}
run: "true"
"""
LAUNCHES = {"CreateFleet", "RunInstances"}


def main() -> None:
    """Print the median and the worst; then the calls of some ticks."""
    with tempfile.TemporaryDirectory() as folder, moto_server() as moto, proxy_before(moto.url) as proxy:
        env = {**os.environ, **CREDENTIALS, "FLEET_HOME": folder, "HOME": folder, "AWS_ENDPOINT_URL": proxy.url}
        fleet = [sys.executable, "-m", "fleet.cli"]

        def run(*words: str) -> None:
            subprocess.run([*fleet, *words], env=env, cwd=folder, check=True, capture_output=True)

        run("init", "aws", "--region", "us-east-1", "--yes")
        for number in range(ROUNDS + RUNS):
            (Path(folder) / f"{number}.yaml").write_text(JOB.replace("NAME", f"run-{number}"))
        run("up", "0.yaml", "--yes", "--detach")  # the agent's archives and the prices: once
        run("down", "run-0")
        taken = [_until_launched(proxy, lambda n=n: run("up", f"{n}.yaml", "--yes", "--detach")) for n in range(1, ROUNDS)]
        print(f"fleet up until the launching call: median {statistics.median(taken):.2f} s, worst {max(taken):.2f} s")
        proxy.forget()
        for _ in range(TICKS):
            run("controller", "run", "--once")
        asked = [seen.action for seen in proxy.seen if seen.service == "ec2"]
        print(f"{TICKS} ticks over {ROUNDS - 1} runs in one region: {len(asked)} calls ({', '.join(sorted(set(asked)))})")


def _until_launched(proxy: Proxy, start: object) -> float:
    proxy.forget()
    begun, thread = time.perf_counter(), threading.Thread(target=start)  # type: ignore[arg-type]
    thread.start()
    while not any(action in LAUNCHES for action in proxy.actions()):
        time.sleep(0.005)
    took = time.perf_counter() - begun
    thread.join()
    return took


if __name__ == "__main__":
    main()
