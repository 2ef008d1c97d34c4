"""Whatever secret is planted, wherever: it is not in what is pasted; and what helps to help stays."""

from __future__ import annotations

import base64
import hashlib
import json
import string
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fleet.workloads.deepracer.diagnosis import block, told
from fleet.workloads.deepracer.probed import Line
from fleet.workloads.deepracer.redact import redact, secrets_of

UPPER, ALNUM, B64 = (
    string.ascii_uppercase + string.digits,
    string.ascii_letters + string.digits,
    string.ascii_letters + "0123456789+/",
)
PRINTABLE = "".join(chr(c) for c in range(33, 127) if chr(c) != "<")
"""Without what the marks of what was taken out begin with."""


def word(alphabet: str, low: int, high: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=low, max_size=high)


def drawn(low: int, high: int) -> st.SearchStrategy[bytes]:
    """By lot, as keys are: what Hypothesis likes to draw, all zeros and all ones, is no key."""
    return st.builds(
        lambda seed, size: hashlib.sha512(str(seed).encode()).digest()[:size], st.integers(0), st.integers(low, high)
    )


octet = st.integers(0, 255)
global_address = st.tuples(st.integers(11, 99), st.integers(1, 255), octet, octet).filter(lambda ip: ip[0] != 10)
shaped = st.one_of(
    st.builds("AKIA{}".format, word(UPPER, 16, 16)),
    st.builds("ASIA{}".format, word(UPPER, 16, 16)),
    st.builds("ghp_{}".format, word(ALNUM, 36, 36)),
    st.builds("hf_{}".format, word(ALNUM, 30, 34)),
    st.builds("eyJhbGciOiJIUzI1NiJ9.{}.{}".format, word(ALNUM, 20, 60), word(ALNUM, 20, 43)),
    drawn(30, 30).map(lambda data: base64.b64encode(data).decode()),
    drawn(16, 64).map(lambda data: data.hex()),
    drawn(40, 64).map(lambda data: base64.urlsafe_b64encode(data).decode()),
    st.integers(10**11, 10**12 - 1).map(str),
    st.builds(
        "{}@{}.{}".format,
        word(string.ascii_lowercase, 3, 9),
        word(string.ascii_lowercase, 3, 9),
        st.sampled_from(["com", "io"]),
    ),
    global_address.map(lambda ip: ".".join(map(str, ip))),
    global_address.map(lambda ip: "ec2-" + "-".join(map(str, ip))),
    word(B64, 200, 400).map(lambda body: f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"),
)
"""Secrets that are known by their shape."""

SURROUNDINGS = [
    "{}",
    "before {} after",
    "x={}",
    '{{"a": "{}", "b": 1}}',
    "'{}'",
    "[{}]",
    "({}), and",
    "line one\nINFO: {}\nline three",
    "https://host/path?x={}&y=1",
    "/var/log/{}/x",
    "arn:aws:iam::{}:role/x",
    "{}: refused",
    "\x1b[31m{}\x1b[0m",
    "trainer | {} |",
]


def inside(secret: str) -> str:
    """The part that must not survive: of a key the body, of an address in a name the numbers."""
    return secret.splitlines()[1] if "BEGIN" in secret else secret.removeprefix("ec2-")


@settings(max_examples=400, deadline=None)
@given(shaped, st.sampled_from(SURROUNDINGS), st.sampled_from(SURROUNDINGS))
def test_no_secret_that_is_known_by_its_shape_survives_anywhere(secret: str, inner: str, outer: str) -> None:
    assert inside(secret) not in redact(outer.format(inner.format(secret)))


NAMES = [
    "AWS_SECRET_ACCESS_KEY",
    "MINIO_ROOT_PASSWORD",
    "GITHUB_TOKEN",
    "aws_session_token",
    "password",
    "db.passwd",
    "token",
    "api_key",
    "apiKey",
    "x-api-key",
    "privateKey",
    "client-secret",
    "Authorization",
]
FORMS = ["{}={}", "{}: {}", '"{}": "{}"', "export {}={};", "{} = '{}'", "--{} {}", "--{}={}", "{}=>{}"]


@settings(max_examples=400, deadline=None)
@given(
    word(ALNUM + "!#$%*+./@^_~-", 4, 40), st.sampled_from(NAMES), st.sampled_from(FORMS), st.sampled_from(SURROUNDINGS[:9])
)
def test_no_value_survives_whose_name_says_that_it_is_secret(value: str, name: str, form: str, around: str) -> None:
    assume(value.lower() not in f"{name} {form} {around} <secret> <token> <key> <account>".lower())
    assert value not in redact(around.format(form.format(name, value)))


WRITTEN = [str, lambda v: quote(v, safe=""), lambda v: json.dumps(v)[1:-1], lambda v: v.encode().hex(), str.strip]


@settings(max_examples=400, deadline=None)
@given(
    word(PRINTABLE, 8, 40),
    word(ALNUM + " .:/", 0, 20),
    word(ALNUM + " .:/", 0, 20),
    st.sampled_from(WRITTEN),
    st.integers(0, 3),
)
def test_a_secret_that_is_known_survives_in_no_way_of_writing_it(
    value: str, before: str, after: str, write: object, way: int
) -> None:
    written = write(value)  # type: ignore[operator]
    text = f"{before}{written}{after}"
    if way == 3:
        written = base64.b64encode(f"{before}{value}{after}".encode()).decode()
        text = f"({written})"
    cleaned = redact(text, {value})
    assert value not in cleaned
    assert written not in cleaned


@settings(max_examples=200, deadline=None)
@given(shaped, st.integers(0, 3), word(PRINTABLE.replace("\\", ""), 8, 30))
def test_nothing_of_a_whole_block_holds_what_was_planted_in_any_part_of_it(secret: str, where: int, own: str) -> None:
    parts = ["a", "b", "c", "d"]
    parts[where] = f"x {secret} y"
    text = block(
        {"command": f"deepracer doctor {parts[0]}"},
        {"this computer": [Line("disk", "not ok", parts[1], f"do {parts[2]} {own}")]},
        [f"says  {own}"],
        {"trainer": [parts[3], own]},
        {own},
    )
    assert inside(secret) not in text
    assert own not in text


@pytest.mark.parametrize(
    "text",
    [
        "awsdeepracercommunity/deepracer-simapp:6.0.4-gpu@sha256:" + "0a" * 32,
        "10.0.0.7 and 172.18.0.4, 192.168.1.2, 127.0.0.1, 169.254.169.254, fe80::1, ::1",
        "SIM_TRACE_LOG:0,1,0.2078,-2.1730,179.9865,15.00,1.50,8,0.0,False,True,0.2333,0,60.00,36.721000000000004,prepare,0.00",
        "Policy training> Surrogate loss=-0.010912807658314705, KL divergence=0.00998, Entropy=2.628, training epoch=0",
        "Checkpoint> Saving in path=['./checkpoint_sagemaker/agent/85_Step-215377.ckpt']",
        "[download_params_and_roslaunch_agent_node-1] [agent-9] 01:37:02 INFO:[DeepRacerNodeMonitor]: NodeMonitor started",
        "2026-03-06 13:37:00.298 driver 560.35.03, compute capability 7.5; fleet-shanghai-1-1-x7f3ab-trainer-1",
        "wall clock 1772822267.7927, 1772822267792 ms",
        "Exited (1) 3 minutes ago; i-0abc12345def67890 in eu-central-1a, vol-0123456789abcdef0",
    ],
)
def test_what_helps_to_help_stays(text: str) -> None:
    assert redact(text) == text


def test_homes_and_their_owners_names_go() -> None:
    assert redact("/home/alice/x.py, /Users/bob/y and C:\\Users\\eve\\z") == "<home>/x.py, <home>/y and <home>\\z"


def test_users_in_addresses_go() -> None:
    assert redact("http://fleet:s3cr3t@10.0.0.1:9000/bucket") == "http://<secret>@10.0.0.1:9000/bucket"
    assert "abcdef" not in redact("https://b.s3.amazonaws.com/k?X-Amz-Signature=abcdef&X-Amz-Credential=abcdef")


def test_variables_that_are_secret_are_known_by_their_names() -> None:
    environment = {"AWS_SECRET_ACCESS_KEY": "abcdefgh", "MY_TOKEN": "12345678", "HOME": "/home/alice", "PASSWORD": "x"}
    assert secrets_of(environment) == {"abcdefgh", "12345678"}


def test_a_block_tells_checks_with_their_remedies_status_and_the_last_words_without_steps() -> None:
    lines = [
        Line("disk", "not ok", "99 % in use", "clean"),
        Line("driver", "ok", "560", "not shown"),
        Line("gpu", "cannot tell", "?"),
    ]
    text = block({"fleet": "1.2"}, {"i-1": lines}, ["run x"], {"trainer": ["SIM_TRACE_LOG:1", "", "the end"], "coach": []})
    assert text.splitlines() == [
        "----- fleet deepracer doctor -----",
        "fleet: 1.2",
        "",
        "checks (i-1):",
        *told(lines),
        "",
        "status:",
        "run x",
        "",
        "last lines of trainer:",
        "the end",
        "-" * 30,
    ]
    assert told(lines)[1].strip() == "clean"
    assert "not shown" not in text


@pytest.mark.parametrize("text", ["a-token" * 3000, "x" * 20_000, "eyJ" * 5000, "--a" * 6000, "token\\" * 3000])
@pytest.mark.timeout(30)
def test_a_long_line_of_letters_is_looked_at_in_a_moment(text: str) -> None:
    """It took minutes, in which a report or a diagnosis hung."""
    assert "me@example.com" not in redact(f"{text} me@example.com")
