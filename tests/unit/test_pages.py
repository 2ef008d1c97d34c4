"""The documentation as a whole: it builds, its links lead somewhere, and what it shows is what there is."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import urlparse
from xml.etree import ElementTree

import pytest

import fleet
from fleet.cli import app as codes
from fleet.providers.local.market import parse_market

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))

RUN_AS_A_WHOLE = {
    "README.md": "tests/unit/cli/test_readme.py (its fleet commands)",
    "docs/tutorial.md": "tests/system/test_tutorial.py",
    "docs/simulate.md": "tests/unit/cli/test_simulate_job.py types each of its commands",
    "docs/json.md": "tests/unit/cli/test_json.py runs every command with -o json; jq is not ours",
}
EC2 = "tests/aws/test_readme_ec2.py and tests/system/test_ec2_loop.py run it in an account that moto plays"
QUOTA = (
    "service-quotas request-service-quota-increase --service-code ec2 --quota-code L-3819A6DF --desired-value 8"
    " --region us-east-1"
)
GOOGLE = "tests/gce/test_init_gcp.py types it, in a project that the stand-in plays"
GCLOUD = "Google's own program, on the real service only"
BOOTS = "tests/system/test_bake.py tests/system/test_ec2_emulated.py"
RUN_ELSEWHERE = {
    **dict.fromkeys(
        (
            "fleet report --night",
            "fleet report --night 2026-11-25",
            "fleet report --night --html night.html",
            "fleet report --night --format csv",
        ),
        "tests/unit/cli/test_report.py types them",
    ),
    **dict.fromkeys(
        (
            "fleet init aws --region us-east-1",
            "fleet doctor aws",
            "fleet plan fleet.yaml",
            "fleet up fleet.yaml",
            "fleet ps",
            "fleet destroy aws",
        ),
        EC2,
    ),
    **dict.fromkeys(
        (
            "fleet controller deploy aws --email you@example.com",
            "fleet controller deploy aws",
            "fleet controller remove aws",
        ),
        "tests/aws/test_deploy_command.py types them, in an account that moto plays",
    ),
    **dict.fromkeys(
        (
            "fleet report install --at 02:00 --to 'mailto://me:password@mail.example.com?to=me@example.com'",
            "fleet report test",
            "fleet report status",
            "fleet report --night --send",
            "fleet report uninstall",
        ),
        "tests/unit/cli/test_report_commands.py types them, before real servers",
    ),
    **dict.fromkeys(
        (
            "fleet notify on all --to 'mailto://me:password@mail.example.com?to=me@example.com'",
            "fleet notify off recovery finished",
            "fleet notify test",
            "fleet notify list",
        ),
        "tests/unit/cli/test_notify.py types them, before a real webhook",
    ),
    **dict.fromkeys(
        ("fleet budget set --day 5 --month 60", "fleet budget", "fleet budget clear"),
        "tests/unit/cli/test_budget.py types it",
    ),
    "fleet controller deploy ssh pi@raspberrypi.local": "tests/ssh/test_hosts.py deploys to a host with a real sshd",
    "fleet simulate --model tick --traces windows --policy greedy --policy omniscient --work 48h --deadline 52h": (
        "tests/unit/cli/test_simulate_ticks.py types it"
    ),
    "fleet logs -f first": "tests/unit/cli/test_readme.py follows a log",
    "fleet policy aws > controller.json": "tests/aws/test_init_aws.py prints it",
    **{
        f"fleet ami {words}": "tests/aws/test_ami.py runs it with a program that is called packer"
        for words in ("build", "build --variant gpu", "build --variant gpu --driver 470-server", "list")
    },
    "pip install 'fleet[aws]'": "tests/system/test_wheel.py installs the wheel with an extra",
    "aws configure": "Amazon's own program",
    **dict.fromkeys(
        (
            "fleet init gcp --project my-project",
            "fleet init gcp --project my-project --region us-central1",
            "fleet doctor gcp",
            "fleet policy gcp > fleetController.json",
            "fleet destroy gcp",
        ),
        GOOGLE,
    ),
    "pip install 'fleet[gcp]'": "tests/system/test_wheel.py installs the wheel with an extra",
    "gcloud auth application-default login": GCLOUD,
    "gcloud auth application-default set-quota-project my-project": GCLOUD,
    "gcloud iam roles create fleetController --project=my-project --file=fleetController.json": GCLOUD,
    'printf %s "$WANDB_API_KEY" | gcloud secrets create fleet-WANDB_API_KEY --data-file=-': GCLOUD,
    **{
        f"aws {words}": "Amazon's own program, on the real service only"
        for words in (
            QUOTA,
            "iam create-policy --policy-name fleet-controller --policy-document file://controller.json",
            "iam attach-user-policy --user-name NAME --policy-arn arn:aws:iam::ACCOUNT:policy/fleet-controller",
            "ssm put-parameter --type SecureString --name /fleet/WANDB_API_KEY --value …",
        )
    },
    **{
        f"fleet exec RUN -- {words}": "tests/ssh runs fleet exec; systemd and cloud-init say what these say"
        for words in (
            "cat /var/lib/fleet/boot-times",
            "cloud-init analyze blame",
            "systemd-analyze",
            "cat /etc/fleet-image.json",
        )
    },
    **dict.fromkeys(
        ("fleet init deepracer shanghai-1", "fleet deepracer check shanghai-1"),
        "tests/unit/cli/test_readme.py types them, tests/deepracer/test_up.py trains what they write",
    ),
    **dict.fromkeys(
        (
            'fleet deepracer clone shanghai-1 shanghai-1.3 --from best --set learning_rate=0.0001 --note "calmer"',
            "fleet deepracer diff shanghai-1 shanghai-1.3",
            'fleet deepracer note shanghai-1.3 "brakes late in the hairpin"',
            "fleet deepracer tree",
        ),
        "tests/unit/cli/test_deepracer_versions.py types them, with sets that TensorFlow wrote",
    ),
    **dict.fromkeys(
        (
            "fleet deepracer export shanghai-1 shanghai-1-best --best --to folder",
            "fleet deepracer export shanghai-1 carfile.tar.gz --to car",
            "fleet deepracer export shanghai-1 s3://my-models/shanghai-1 --to console",
        ),
        "tests/unit/deepracer/test_export.py types them",
    ),
    "fleet events RUN": "tests/unit/cli/test_looking.py tells events",
    f"sh scripts/system-programs.sh .venv/bin/python -m pytest -s {BOOTS}": "make test-system",
    "make demo": "tests/system/test_demo.py runs the same `fleet demo`",
    "make test": "this is it",
    "make bench-policy TRACES=../shared/data/spot-traces": "tests/system/test_policy_benchmark.py, on drawn traces",
    "make bench-policy TRACES=../shared/data/spot-traces PLOTS=docs/pictures": "the same",
    "python scripts/calibrate_deadlines.py ../shared/data/spot-traces": "tests/system/test_policy_benchmark.py runs it",
    "python -m benchmarks.deadline_runs 10000 --jobs 2": "tests/simulation/test_deadline_runs.py runs some of them",
    "make soak MINUTES=60": "tests/simulation/test_chaos.py lets the same happen for a few seeds",
    "python -m tests.simulation.chaos replay 1 --hours 24 --runs 6 --trace": "tests/simulation/test_chaos.py",
    **{
        f"fleet up examples/resumable/{name}": "tests/system/test_resumable.py runs this folder's job"
        for name in ("pytorch", "keras", "numpy", "shell")
    },
}
"""Commands in the documentation that are not run from there, each with its reason."""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands(page: Path) -> Iterator[str]:
    """The lines of a page's shell blocks, without comments; whole programs shown there are files, tested as such."""
    text = re.sub(r"<!-- file: \S+ -->\n\n```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield from (re.sub(r"\s+# .*", "", line) for line in block.splitlines() if line.strip())


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def said_in_code() -> set[str]:
    """Every text in the code; what is filled in when it runs is written …"""
    found = set()
    for file in Path(fleet.__file__).parent.glob("**/*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.add("".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = list((tmp_path / "site").glob("**/*.html"))
    assert len(built) > len(list(ROOT.glob("docs/**/*.md")))  # one page each, and the one for what is not found
    for page in built:
        fetched = re.findall(r'<(?:script|img|link)[^>]*(?:src|href)="?(https?://[^" >]+)', page.read_text())
        assert not [url for url in fetched if not url.startswith("https://github.com/")], page


def test_external_links_are_well_formed() -> None:
    for page in PAGES:
        for url in re.findall(r"\]\((\w+://[^)]+)\)", page.read_text()):
            parts = urlparse(url)
            assert parts.scheme == "https", (page, url)
            assert re.fullmatch(r"[\w.-]+\.\w+", parts.netloc), (page, url)
            assert " " not in url, (page, url)


def test_what_a_page_shows_of_a_file_is_the_file() -> None:
    shown = 0
    for page in PAGES:
        text = page.read_text()
        assert script("embed").embedded(text) == text, f"{name_of(page)}: python scripts/embed.py"
        shown += text.count("<!-- file:")
    assert shown >= 6


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_in_a_page_is_run_by_a_test(page: Path) -> None:
    for command in commands(page):
        whole = name_of(page) in RUN_AS_A_WHOLE and not command.startswith("make ")
        assert whole or command in RUN_ELSEWHERE, f"{name_of(page)}: {command!r} is run by no test"


def test_every_example_in_python_or_json_can_be_read() -> None:
    for page in PAGES:
        for block in re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE):
            compile(block, name_of(page), "exec")
        for block in re.findall(r"^```json\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE):
            json.loads(block)


def test_the_markets_in_the_documentation_are_markets() -> None:
    text = (ROOT / "docs" / "local.md").read_text()
    [block] = re.findall(r"^```json\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    parse_market(json.loads(block))
    [line] = re.findall(r"echo '(\{.*\})' >", (ROOT / "docs" / "tutorial.md").read_text())
    parse_market(json.loads(line))


def test_the_messages_in_troubleshooting_are_said_by_the_code() -> None:
    said = said_in_code()
    rows = re.findall(r"^\| (.*?) \|", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    messages = [message for row in rows for message in re.findall(r"`([^`]*(?: |…)[^`]*)`", row)]
    messages = [message for message in messages if not message.startswith("fleet ") and message != "fleet.progress"]
    assert len(messages) > 40
    for message in messages:
        fixed = re.escape(message.strip("… ")).replace("…", ".*")
        assert any(re.search(fixed, text, re.DOTALL) for text in said), message


def test_the_exit_codes_in_the_documentation_are_those_of_the_code() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "exit-codes.md").read_text(), re.MULTILINE)}
    assert told == set(codes.EXIT_CODES)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_whole_shown_somewhere_and_tells_nothing_of_the_computer(picture: Path) -> None:
    root = ElementTree.parse(picture).getroot()
    text = "".join(root.itertext()).replace("\xa0", " ")
    assert "$ fleet" in text
    for path in re.findall(r"(?<![\w~.*])/[\w.-]+(?:/[\w.-]+)*", text):
        assert path.startswith(("/home/you/.fleet", "/tmp/fleet-demo")) or path == "/H", path
    assert "@font-face" not in picture.read_text()
    assert any(f"pictures/{picture.name}" in page.read_text() for page in PAGES)


def test_there_are_pictures() -> None:
    assert {picture.stem for picture in PICTURES} == {"demo", "plan", "ps", "status", "up"}
