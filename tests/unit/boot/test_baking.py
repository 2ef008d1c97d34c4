"""What a prepared image is made from."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fleet.boot.baking import lay_archives, lay_template, source
from fleet.boot.userdata import cloud_config
from fleet.model.errors import FleetError
from tests.unit.boot.test_userdata import STACK, TARGET, WHEELS

START, END = "  # since 1.7\n", "  # /since 1.7\n"


def test_the_archives_are_listed_as_a_machine_has_them_so_that_it_finds_its_agent_made(tmp_path: Path) -> None:
    lay_archives(tmp_path, WHEELS, str.encode, TARGET.arch)
    listed = (tmp_path / "agent").read_text()
    files = yaml.safe_load(cloud_config(STACK, TARGET, WHEELS))["write_files"]
    assert [file["content"] for file in files if file["path"] == "/etc/fleet/agent"] == [listed]
    for line in listed.splitlines():
        _, key, sha = line.split()
        assert (tmp_path / f"{sha}.tar.gz").read_text() == key


def test_an_image_for_another_processor_has_no_agent(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="no agent for riscv64"):
        lay_archives(tmp_path, WHEELS, str.encode, "riscv64")


def test_each_packer_gets_what_it_understands(tmp_path: Path) -> None:
    old = lay_template(tmp_path / "old", (1, 6, 6))
    new = lay_template(tmp_path / "new", (1, 11, 2))
    names = [sorted(path.name for path in (tmp_path / which).iterdir()) for which in ("old", "new")]
    assert names == [["aws.pkr.hcl", "fleet.pkr.hcl"], ["aws.pkr.hcl", "fleet.pkr.hcl", "plugins.pkr.hcl"]]
    assert "http_tokens" in (tmp_path / "new/aws.pkr.hcl").read_text()
    assert old == new
    assert {"bake.sh", "clean.sh", "tune.sh", "facts.py", "seed.sh"} <= {path.name for path in Path(old["bake"]).iterdir()}
    assert (Path(old["scripts"]) / "docker.sh").exists()


def test_the_two_builders_on_ec2_differ_in_nothing_but_what_came_later() -> None:
    old, new = ((source("ami") / name).read_text() for name in ("packer-1.6/aws.pkr.hcl", "aws.pkr.hcl"))
    before, _, rest = new.partition(START)
    _, _, after = rest.partition(END)
    assert (before + after).partition("\nsource ")[2].replace("\n\n\n", "\n\n") == old.partition("\nsource ")[2]


def test_no_tag_lets_a_sweep_take_an_image_for_what_a_fleet_left() -> None:
    text = (source("ami") / "fleet.pkr.hcl").read_text()
    tags = [
        line.split("=")[0].strip().strip('"')
        for line in text.partition("  tags = {")[2].partition("}")[0].splitlines()
        if "=" in line
    ]
    assert "fleet" not in tags
    assert {f"fleet-image{end}" for end in ("", "-base", "-variant", "-driver", "-arch", "-version", "-made")} <= {*tags}
