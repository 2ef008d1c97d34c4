"""How long commands that only look take from the shell: design.md, section 11, wants about a quarter of a second.

With a bucket on S3 and an AWS profile it is to be less than 0.8 s; here moto plays S3, on this computer. Keys that stand in
the shared files are read without boto3; a profile that asks a process for them needs it.

python -m benchmarks.startup
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.aws.moto import CREDENTIALS, moto_server

ROUNDS = 15
BUCKET = "a-bucket-of-the-benchmark"
PROFILES = """[profile keys]
region = us-east-1
[profile process]
region = us-east-1
credential_process = echo '{"Version": 1, "AccessKeyId": "test", "SecretAccessKey": "test"}'
"""
KEYS = "[keys]\naws_access_key_id = test\naws_secret_access_key = test\n"


def main() -> None:
    """Print the median and the worst of some rounds."""
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "FLEET_HOME": home}
        for words in (["--help"], ["ps"], ["ps", "-o", "json"]):
            _time(words, env)
        _with_a_profile(Path(home), env)


def _with_a_profile(home: Path, env: Mapping[str, str]) -> None:
    (home / "config").write_text(PROFILES)
    (home / "credentials").write_text(KEYS)
    (home / "buckets.json").write_text(f'["s3://{BUCKET}/fleet"]')
    files = {"AWS_CONFIG_FILE": str(home / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials")}
    with moto_server() as moto:
        env = {name: value for name, value in env.items() if name not in CREDENTIALS}
        env |= {**files, "AWS_ENDPOINT_URL": moto.url, "AWS_EC2_METADATA_DISABLED": "true"}
        make = (
            "import boto3, fleet.store.fleetfile as f, fleet.store.opening as o\n"
            f"boto3.client('s3').create_bucket(Bucket={BUCKET!r}); f.ensure_fleet(o.open_objects('s3://{BUCKET}/fleet'))"
        )
        subprocess.run([sys.executable, "-c", make], env={**env, "AWS_PROFILE": "keys"}, check=True)
        for profile in ("keys", "process"):
            _time(["ps"], {**env, "AWS_PROFILE": profile}, f" on S3, profile with {profile}")


def _time(words: list[str], env: Mapping[str, str], where: str = "") -> None:
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "fleet.cli", *words], env=env, capture_output=True, check=True)
        taken.append(time.perf_counter() - begun)
    told = f"fleet {' '.join(words)}{where}"
    print(f"{told:<40} median {statistics.median(taken):.3f} s, worst {max(taken):.3f} s")


if __name__ == "__main__":
    main()
