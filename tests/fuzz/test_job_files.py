"""Job files, as people, editors and generators write them: a job that says the same again, or one error with its place."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from fleet.model.base import document_bytes
from fleet.model.errors import JobError
from fleet.model.job import Job
from fleet.model.jobfile import parse_job
from fleet.model.yamlfile import MOST_BYTES
from tests.fuzz.draw import STRINGS, bent, damaged, examples, strings, values

BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
MOST_SECONDS = 1.0
"""Of computing, whatever the file holds."""
VALID = """\
name: racer
workdir: .
resources: {infra: local/here, instance_type: [small, medium], accelerators: "K80:2", market: spot, max_price: $0.50}
volume: {size: 1TB, mount: /data, keep: 3d, name: pool}
bucket: file:///somewhere
checkpoint: {path: ckpt, format: marker, every: 15m, keep: 3, cpu: 25%}
outputs: [out/*.bin]
envs: {LR: 1e-4, FLAG: yes, N: 007, EMPTY: ""}
secrets: [TOKEN]
file_mounts: {data: ./data, /opt/x: y}
setup: pip install x
run: |
  python a.py
  python b.py
max_duration: 1d12h
budget: {run: $5}
retries: {training: 0, boot: 1}
"""
ANY_OF = """\
name: a
run: b
resources:
  accelerators: K80
  any_of:
    - {market: spot, max_price: $1}
    - market: on-demand
"""
FILES = (VALID, ANY_OF, "name: a\nworkdir: .\nstack: compose.yaml\n")
SNIPPETS = (
    "!!python/object:os.system ", "!!timestamp ", "!!bool ", "!!int ", "!!float ", "!!binary ", "!!set ", "!!omap ",
    "!!null ", "!!merge ", "!<x> ", "! ", "&a ", "*a", "<<: *a\n", "<<: {run: x}\n", "? ", "? [a, b]\n: c\n", "- ",
    "| ", "> ", "|9\n", "%YAML 9.9\n", "---\n", "...\n", "\t", "#", "{", "}", "[", "]", "'", '"', "\\", '"\\ud800"',
    '"\\0"', '"\\U00110000"', "@", "`", "0x" + "f" * 5000, "9" * 5000, "0" + "7" * 400, "1:" * 50 + "1", "2001-99-99",
    "2001-01-01T00:00:00+99:99", ".inf", ".nan", "~", "=", "1e999", "0b1",
)  # fmt: skip


def check(text: str) -> Job | None:
    """The law."""
    begun = time.thread_time()
    job = None
    try:
        job = parse_job(text, "job.yaml")
    except JobError as error:
        took = time.thread_time() - begun
        broken = BREAK.split(text)
        longest = max(map(len, broken))
        whole = re.fullmatch(r"job\.yaml (is empty|is not text|has [\d,]+ characters: that is no job file)", error.message)
        for line in () if whole else error.message.split("\n"):
            place = re.match(r"job\.yaml:(\d+):(\d+): .", line)
            assert place is not None, f"no place in {line[:200]!r}"
            assert 1 <= int(place[1]) <= len(broken) + 1
            assert 1 <= int(place[2]) <= longest + 2
    else:
        took = time.thread_time() - begun
    assert took < MOST_SECONDS
    if job is not None:
        assert Job.model_validate_json(document_bytes(job)) == job
        assert "\0" not in str(job)
    return job


@examples(200)
@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda data: data.decode("utf-8", "replace")))
@example('run: "\\ud800"\nname: a\n')
@example('name: a\nrun: "x\\0y"\n')
@example("\x07")
def test_no_text_is_more_than_an_error_with_its_place(text: str) -> None:
    check(text)


@st.composite
def files(draw: st.DrawFn) -> str:
    """A valid file, with pieces of YAML strewn in."""
    text = draw(st.sampled_from(FILES))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from([0, *(m.end() for m in re.finditer(r"[:\n{\[,]\s*", text))]))
        upto = at if draw(st.booleans()) else min((m for m in (text.find(c, at) for c in "\n,}]") if m > 0), default=at)
        text = text[:at] + draw(st.sampled_from(SNIPPETS) | strings) + text[upto:]
    return text


@examples(400)
@given(files())
@example("name: a\nrun: b\nvolume: {keep: !!bool what}\n")
@example("name: a\nrun: b\nvolume: {keep: !!timestamp what}\n")
@example("name: a\nrun: b\nvolume: {keep: !!int ''}\n")
@example("name: a\nrun: b\nnum_nodes: 0x" + "f" * 5000 + "\n")
@example("name: a\nrun: b\nmax_duration: " + "9" * 400 + "\n")
@example("name: a\nrun: b\nvolume: {size: " + "9" * 400 + "}\n")
@example(f"name: a\nrun: b\nmax_duration: {'9' * 400}d\ncheckpoint: {{every: {'9' * 400}d}}\n")
def test_pieces_of_yaml_where_none_belong_are_told(text: str) -> None:
    check(text)


@examples(300)
@given(st.sampled_from(FILES).flatmap(lambda text: damaged(text.encode())).map(lambda data: data.decode("utf-8", "replace")))
def test_a_damaged_file_is_a_job_or_an_error(text: str) -> None:
    check(text)


def _writable(value: Any) -> bool:
    """YAML cannot be written with half a character in it."""
    return "\\ud8" not in ascii(value) and "\\udc" not in ascii(value)


@examples(400)
@given(st.sampled_from(FILES).flatmap(lambda text: bent(yaml.load(text, Loader=yaml.BaseLoader))).filter(_writable))
@example({"name": "a", "run": "b", "resources": {"any_of": [{"a\nb": 1}]}})
@example({"name": "a", "run": "b", "envs": {"A": "a\0b"}})
def test_a_field_that_is_missing_or_of_another_kind_is_told(document: Any) -> None:
    try:
        text = yaml.safe_dump(document, allow_unicode=True)
    except (ValueError, RecursionError):
        return  # a number that has too many digits to be written
    check(text)


@examples(150)
@given(st.dictionaries(st.sampled_from([*Job.model_fields, "x"]) | strings, values, max_size=5).filter(_writable))
def test_a_structure_of_anything_is_a_job_or_an_error(document: Any) -> None:
    try:
        text = yaml.safe_dump(document, allow_unicode=False)
    except (ValueError, RecursionError):
        return
    check(text)


HEAD = "name: a\nrun: b\n"
BIG = MOST_BYTES - 100
LARGE = {
    "digits": f"{HEAD}max_duration: {'1' * BIG}\n",
    "digits and a letter": f"{HEAD}max_duration: {'1' * BIG}x\n",
    "hours and minutes": f"{HEAD}num_nodes: 1{':0' * (BIG // 2)}\n",
    "hexadecimal": f"{HEAD}num_nodes: 0x{'f' * BIG}\n",
    "money": f"{HEAD}budget: {{run: ${'1' * BIG}}}\n",
    "a bomb of anchors": "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 40)),
    "nesting": f"{HEAD}x: {'[' * 100_000}",
    "nested maps": "".join(f"{' ' * n}a:\n" for n in range(1000)),
    "items": HEAD + "outputs:\n" + "- a\n" * (BIG // 5),
    "unknown fields": HEAD + "".join(f"field{n}: x\n" for n in range(4_500)),
    "long unknown fields": HEAD + "".join(f"? {'budgetrunvolume' * 60}{n}\n: x\n" for n in range(900)),
    "the same field": "name: a\n" * 15_000,
    "a long name": f"name: {'a' * BIG}\nrun: b\n",
    "a long key": f"{HEAD}? {'a' * (BIG - 10)}\n: x\n",
    "variables without a value": f"{HEAD}envs:\n" + "".join(f"  A{n}:\n" for n in range(4_500)),
    "quotes": f"{HEAD}x: {chr(39) * BIG}",
    "colons": f"{HEAD}{':' * BIG}",
    "one field after another in a line": "{" + "a: b, " * (BIG // 6),
}  # fmt: skip


@pytest.mark.parametrize("what", LARGE)
def test_a_large_file_takes_no_longer_than_a_moment(what: str) -> None:
    assert len(LARGE[what]) <= MOST_BYTES
    check(LARGE[what])


def test_the_files_that_are_bent_here_are_jobs() -> None:
    assert all(check(text) is not None for text in FILES)
    assert len(set(STRINGS)) == len(STRINGS)
