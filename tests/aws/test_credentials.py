"""What boto3 would sign with signs for obstore too: profiles, processes, roles; and what happens once it has expired."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest

from fleet.control.controller import Controller
from fleet.control.fleets import open_bucket, open_fleet
from fleet.control.home import Home
from fleet.control.runs import start_run
from fleet.model.errors import StoreError
from fleet.model.job import Job
from fleet.providers.local.provider import stop_everything
from fleet.store.amazon import AmazonCredentials, forget_buckets, open_s3
from fleet.store.awsconfig import read_config
from fleet.store.opening import open_objects
from tests.aws.moto import STRANGE, Moto

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Configured:
    """The shared files, written anew."""

    def __init__(self, folder: Path) -> None:
        self.config, self.shared = folder / "config", folder / "credentials"
        self.config.write_text("")
        self.shared.write_text("")

    def write(self, config: str = "", shared: str = "") -> None:
        self.config.write_text(config)
        self.shared.write_text(shared)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configured:
    """Nothing in the environment but where the files are."""
    for name in (*KEYS, *STRANGE, "AWS_DEFAULT_REGION", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL", "FLEET_MACHINE"):
        monkeypatch.delenv(name, raising=False)
    made = Configured(tmp_path)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(made.config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(made.shared))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    forget_buckets()
    return made


class Signed(BaseHTTPRequestHandler):
    """An S3 that notes by whom each request was signed, and takes only some of them."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, str]]
    """Key id, session token and region."""
    expired: set[str]
    region = ""

    def do_GET(self) -> None:
        scope = self.headers.get("Authorization", "Credential=-/-/-/-/").split("Credential=")[1].split("/")
        self.seen.append((scope[0], self.headers.get("x-amz-security-token", ""), scope[2]))
        status, body = 200, b"here"
        if scope[0] in self.expired:
            status, body = 400, b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Wed, 25 Nov 2026 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.send_response(403)
        if self.region:
            self.send_header("x-amz-bucket-region", self.region)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        return


@pytest.fixture
def s3(files: Configured, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Signed]]:
    handler = type("Handler", (Signed,), {"seen": [], "expired": set()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    yield handler
    server.shutdown()
    server.server_close()


def process_that_prints(folder: Path, *, valid: float) -> str:
    """A credential_process that counts how often it was asked, and hands out keys that are valid for so many seconds."""
    script = folder / "process.py"
    script.write_text(f"""
import datetime, json, pathlib
counter = pathlib.Path({str(folder / "asked")!r})
number = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(number))
end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds={valid})
print(json.dumps({{"Version": 1, "AccessKeyId": f"KEY{{number}}", "SecretAccessKey": "s", "SessionToken": f"T{{number}}",
                  "Expiration": end.isoformat()}}))
""")
    return f"{sys.executable} {script}"


@pytest.mark.parametrize(
    ("config", "shared", "profile"),
    [
        ("", "[default]\naws_access_key_id = K\naws_secret_access_key = s\n", None),
        ("", "[work]\naws_access_key_id = K\naws_secret_access_key = s\naws_session_token = T\n", "work"),
        ("[profile work]\naws_access_key_id = K\naws_secret_access_key = s\nregion = eu-west-1\n", "", "work"),
        (
            "[profile work]\nregion = eu-west-1\ncredential_process = /bin/false\n",
            "[work]\naws_access_key_id = K\naws_secret_access_key = s\n",
            "work",
        ),
    ],
)
def test_keys_that_simply_stand_in_a_file_are_those_of_boto3_and_are_read_without_it(
    files: Configured, s3: type[Signed], monkeypatch: pytest.MonkeyPatch, config: str, shared: str, profile: str | None
) -> None:
    files.write(config, shared)
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    session = boto3.Session()
    theirs = session.get_credentials().get_frozen_credentials()
    ours = read_config(os.environ)
    assert ours.keys is not None
    assert (ours.keys.access_key_id, ours.keys.secret_access_key, ours.keys.token) == tuple(theirs)[:3]
    assert ours.region == session.region_name
    words = (
        "import sys, fleet.store.opening as o; o.open_objects('s3://mine/x').get('k'); sys.exit('botocore' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", words], check=True, timeout=60)
    assert s3.seen[-1] == ("K", theirs.token or "", session.region_name or "us-east-1")


def test_keys_of_the_environment_come_before_the_profiles_and_an_explicit_profile_before_them(
    files: Configured, s3: type[Signed], monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(shared="[work]\naws_access_key_id = W\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "E")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of the environment")
    open_objects("s3://mine/x").get("k")
    open_objects("s3://mine/x", profile="work").get("k")
    assert [one[:2] for one in s3.seen] == [("E", "of the environment"), ("W", "")]
    assert boto3.Session().get_credentials().access_key == "E"
    assert boto3.Session(profile_name="work").get_credentials().access_key == "W"


def test_a_profile_with_a_process_is_asked_once_while_its_keys_are_valid(
    files: Configured, s3: type[Signed], tmp_path: Path
) -> None:
    files.write(f"[default]\ncredential_process = {process_that_prints(tmp_path, valid=3600)}\n")
    objects = open_objects("s3://mine/x")
    for _ in range(3):
        objects.get("k")
    assert [one[:2] for one in s3.seen] == [("KEY1", "T1")] * 3
    assert (tmp_path / "asked").read_text() == "1"


def test_keys_that_are_about_to_expire_are_renewed(files: Configured, s3: type[Signed], tmp_path: Path) -> None:
    files.write(f"[default]\ncredential_process = {process_that_prints(tmp_path, valid=300)}\n")
    now = [0.0]
    keys = AmazonCredentials(monotonic=lambda: now[0])
    first, *same = (keys.keys().access_key_id for _ in range(3))
    assert (
        same == [first] * 2
    )  # botocore itself would have the process run at every call: its keys are always about to expire
    now[0] += 11
    second = keys.keys().access_key_id
    assert int(second.removeprefix("KEY")) > int(first.removeprefix("KEY"))


def test_keys_that_another_program_writes_anew_are_used_at_once(files: Configured, s3: type[Signed]) -> None:
    s3.expired.add("OLD")
    files.write(shared="[default]\naws_access_key_id = OLD\naws_secret_access_key = s\naws_session_token = t\n")
    objects = open_objects("s3://mine/x")
    with pytest.raises(StoreError, match="the bucket's credentials have expired") as told:
        objects.get("k")
    assert told.value.hint == "Log in: aws sso login, or give keys: aws configure"
    files.write(shared="[default]\naws_access_key_id = NEW1\naws_secret_access_key = s\naws_session_token = t\n")
    assert objects.get("k") == b"here"
    assert [one[0] for one in s3.seen] == ["OLD", "NEW1"]


def test_a_role_is_assumed_with_the_profile_that_it_names(
    files: Configured, moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    files.write(
        "[profile work]\nrole_arn = arn:aws:iam::123456789012:role/trainer\nsource_profile = me\nregion = us-east-1\n",
        "[me]\naws_access_key_id = test\naws_secret_access_key = test\n",
    )
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.url)
    boto3.Session().client("s3").create_bucket(Bucket="assumed-bucket")
    keys = AmazonCredentials().keys()
    assert keys.access_key_id.startswith("ASIA")
    assert keys.token
    objects = open_objects("s3://assumed-bucket/x")
    objects.create("k", b"1")
    assert objects.get("k") == b"1"


SSO = """[profile work]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = admin
[sso-session corp]
sso_region = us-east-1
sso_start_url = https://corp.awsapps.com/start
"""


@pytest.mark.parametrize(
    ("config", "profile", "told", "hint"),
    [
        ("", None, "there are no AWS credentials", "aws configure"),
        (
            "",
            "nobody",
            r"of the profile nobody cannot be had: The config profile \(nobody\) could not be found",
            "--profile nobody",
        ),
        (SSO, "work", "of the profile work cannot be had: .*[Tt]oken", "Log in: aws sso login --profile work"),
        ("[default]\ncredential_process = /bin/false\n", None, "cannot be had: Error when retrieving", "credential_process"),
        ("[default]\ncredential_process = {expired}\n", None, "cannot be had: .*still expired", "credential_process"),
    ],
)
def test_credentials_that_cannot_be_had_are_told_with_the_login_command(
    files: Configured,
    s3: type[Signed],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: str,
    profile: str | None,
    told: str,
    hint: str,
) -> None:
    files.write(config.format(expired=process_that_prints(tmp_path, valid=-1)) if "{expired}" in config else config)
    monkeypatch.setenv("HOME", str(tmp_path))
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    begun = time.monotonic()
    with pytest.raises(StoreError, match=told) as error:
        open_objects("s3://mine/x").get("k")
    assert hint in error.value.hint
    assert "Traceback" not in str(error.value)
    assert s3.seen == []
    assert time.monotonic() - begun < 5


def test_without_boto3_a_profile_that_needs_it_says_so(files: Configured, s3: type[Signed]) -> None:
    files.write(SSO)
    words = (
        "import sys\nfor name in ('boto3', 'botocore', 'botocore.exceptions'): sys.modules[name] = None\n"
        "from importlib import util\nfind = util.find_spec\n"
        "util.find_spec = lambda name: None if name == 'botocore' else find(name)\n"
        "from fleet.store.opening import open_objects\nopen_objects('s3://mine/x').get('k')"
    )
    env = {**os.environ, "AWS_PROFILE": "work"}
    ended = subprocess.run([sys.executable, "-c", words], env=env, capture_output=True, text=True, check=False, timeout=60)
    assert "which needs boto3; it is not installed\npip install 'fleet[aws]'" in ended.stderr


def test_on_a_machine_of_fleets_its_own_role_signs_whatever_files_say(
    files: Configured, s3: type[Signed], monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(shared="[default]\naws_access_key_id = K\naws_secret_access_key = s\n")
    store, _, _ = open_s3("mine", "x")
    assert isinstance(store.credential_provider, AmazonCredentials)
    monkeypatch.setenv("FLEET_MACHINE", "ec2")
    store, _, _ = open_s3("mine", "x")
    assert store.credential_provider is None


@pytest.mark.parametrize(
    ("told", "configured", "given", "signed"),
    [
        ("ap-south-1", "eu-west-1", None, "ap-south-1"),
        ("", "eu-west-1", None, "eu-west-1"),
        ("", None, None, "us-east-1"),
        ("ap-south-1", "eu-west-1", "sa-east-1", "sa-east-1"),
    ],
)
def test_a_buckets_region_is_what_s3_says_not_where_the_laptop_is(
    files: Configured,
    s3: type[Signed],
    monkeypatch: pytest.MonkeyPatch,
    told: str,
    configured: str | None,
    given: str | None,
    signed: str,
) -> None:
    files.write(shared="[default]\naws_access_key_id = K\naws_secret_access_key = s\n")
    s3.region = told
    if configured:
        monkeypatch.setenv("AWS_DEFAULT_REGION", configured)
    open_objects("s3://mine/x", region=given).get("k")
    assert s3.seen[-1][2] == signed


@pytest.mark.parametrize(
    "config",
    [
        "[default]\nendpoint_url = http://one/\n",
        "[default]\nendpoint_url = http://two\nservices = here\n[services here]\ns3 =\n  endpoint_url = http://one\n",
    ],
)
def test_an_endpoint_in_the_config_file_is_where_the_bucket_is(
    files: Configured, monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    files.write(config)
    assert read_config(os.environ).endpoint == "http://one"
    assert boto3.Session().client("s3", region_name="us-east-1").meta.endpoint_url.rstrip("/") == "http://one"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://three")
    assert read_config(os.environ).endpoint == "http://three"


def test_the_profile_of_set_up_serves_its_bucket_alone_and_only_if_the_environment_chooses_none(
    files: Configured, s3: type[Signed], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(
        shared="".join(
            f"[{name}]\naws_access_key_id = {name}\naws_secret_access_key = s\n" for name in ("default", "work", "other")
        )
    )
    home = Home(tmp_path)
    (tmp_path / "aws.json").write_text(json.dumps({"bucket": "s3://mine/x", "profile": "work"}))
    open_bucket(home, "s3://mine/x").get("k")
    open_bucket(home, "s3://yours/x").get("k")
    monkeypatch.setenv("AWS_PROFILE", "other")
    open_bucket(home, "s3://mine/x").get("k")
    assert [one[0] for one in s3.seen] == ["work", "default", "other"]


def test_a_controller_whose_login_has_expired_is_blind_and_training_goes_on_until_it_sees_again(
    moto: Moto, files: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.url)
    process = process_that_prints(tmp_path, valid=300)
    files.write(
        f"[profile work]\ncredential_process = {process}\n",
        "[machine]\naws_access_key_id = test\naws_secret_access_key = test\n",
    )
    boto3.Session(profile_name="machine").client("s3", region_name="us-east-1").create_bucket(Bucket="the-fleets-bucket")
    home, url = Home(tmp_path / "home"), "s3://the-fleets-bucket/x"
    home.path.mkdir()
    run = "for i in $(seq 100000); do echo $i > $FLEET_VOLUME/step; sleep 0.05; done"
    job = Job.model_validate({"name": "count", "run": run, "volume": {"size": 1}, "resources": {"market": "spot"}})
    try:
        monkeypatch.setenv("AWS_PROFILE", "machine")  # as a machine has its own role, which no laptop's login bears upon
        controller = open_fleet(home, url, create=True)
        run_id = start_run(controller, job, tmp_path).run_id
        until(lambda: controller.tick() and phase(controller, run_id) == "training")
        monkeypatch.setenv("AWS_PROFILE", "work")
        now = [time.monotonic()]
        controller = open_fleet(home, url)
        credentials = controller.objects._store.credential_provider  # type: ignore[attr-defined]
        credentials._monotonic = lambda: now[0]
        controller.tick()
        assert phase(controller, run_id) == "training"

        (tmp_path / "process.py").rename(tmp_path / "logged-out")
        now[0] += 60
        with pytest.raises(StoreError, match="the AWS credentials of the profile work cannot be had") as told:
            controller.tick()
        assert "credential_process" in told.value.hint
        until(lambda: any(home.local.glob("volumes/*/**/step")))  # the word comes before the training's first line
        (step,) = home.local.glob("volumes/*/**/step")
        before = int(step.read_text() or 0)
        until(lambda: int(step.read_text() or 0) > before)

        (tmp_path / "logged-out").rename(tmp_path / "process.py")
        controller.tick()
        assert phase(controller, run_id) == "training"
        assert [a.number for a in controller.state.runs[run_id].live_attempts] == [1]
    finally:
        stop_everything(home.local)


def phase(controller: Controller, run_id: str) -> str:
    beat = controller.observer.beat(run_id, 1)
    return beat.phase if beat else ""


def until(check: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_bucket_at_amazons_own_address_is_opened_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is asked of the network: the region is said."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    store, _, _ = open_s3("mine", "x", region="eu-west-1")
    assert store.config["region"] == "eu-west-1"
    assert not store.config.get("endpoint")
