"""What fleet knows of instance types by heart is what EC2 says of them, and what is gone has successors that are not."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from fleet.providers.aws.catalog import (
    USUAL,
    accelerators_of,
    arch_of,
    facts_of,
    known_types,
    offered_unasked,
    successors_of,
    type_of,
    with_gpu,
)
from fleet.providers.aws.families import FAMILIES
from fleet.providers.gpus import GPUS
from fleet.providers.priced import TypeFacts

RECORDED: dict[str, Any] = INSTANCE_TYPES
"""Answers of the real DescribeInstanceTypes, as moto ships them."""


def facts(name: str) -> TypeFacts:
    found = type_of(name)
    assert found is not None
    return found


def told(found: TypeFacts) -> tuple[object, ...]:
    """What both the table and EC2 say."""
    return (found.arch, found.vcpus, found.memory_gib, found.gpu, found.gpus, found.gpu_memory_gib, found.hypervisor,
            found.driver_branch, found.open_kernel, found.cuda)  # fmt: skip


def test_every_row_is_what_ec2_says() -> None:
    rows = {name: told(facts(name)) for name in known_types() if name in RECORDED}
    assert len(rows) > 200
    assert rows == {name: told(facts_of(RECORDED[name])) for name in rows}


def test_what_ec2_no_longer_describes_is_called_gone_and_nothing_else_is() -> None:
    unknown = {name for name in known_types() if name not in RECORDED}
    gone = {name for name in known_types() if facts(name).gone}
    assert gone - unknown == {"p3dn.24xlarge"}  # AWS announced its end; its API had not followed
    assert unknown - gone == set()
    assert {"p2.xlarge", "g3s.xlarge", "p3.2xlarge"} <= gone


def test_every_type_that_is_gone_names_successors_that_are_offered() -> None:
    for name in known_types():
        found = facts(name)
        assert bool(found.successors) == found.gone, name
        assert found.successors == successors_of(name)
        for successor in found.successors:
            assert not facts(successor).gone
            assert successor in RECORDED
            assert facts(successor).gpus >= min(found.gpus, 4), (name, successor)
            assert facts(successor).vcpus >= found.vcpus or found.vcpus > 16, (name, successor)


def test_the_types_of_the_mission_and_the_stack_that_runs_on_them() -> None:
    k80, m60, cpu, t4 = facts("p2.xlarge"), facts("g3s.xlarge"), facts("c5.2xlarge"), facts("g4dn.xlarge")
    assert (k80.gpu, k80.driver_branch, k80.cuda, k80.hypervisor) == ("K80", "470-server", "11.4", "xen")
    assert (m60.gpu, m60.driver_branch, m60.cuda, m60.hypervisor) == ("M60", "580-server", "12.9", "xen")
    assert (cpu.gpu, cpu.driver_branch, cpu.vcpus, cpu.hypervisor) == (None, None, 8, "nitro")
    assert (t4.gpu, t4.driver_branch, t4.cuda, t4.open_kernel) == ("T4", "580-server", "13.0", True)
    assert not k80.open_kernel
    assert not m60.open_kernel
    assert accelerators_of("g4dn.12xlarge") == ("T4",) * 4
    assert accelerators_of("c5.2xlarge") == ()
    assert (arch_of("g5g.xlarge"), arch_of("g5.xlarge"), arch_of("x9.large")) == ("aarch64", "x86_64", None)


def test_only_machines_whose_gpus_are_joined_by_a_switch_need_its_manager() -> None:
    assert {name for name in known_types() if facts(name).fabric_manager} == {
        "p4d.24xlarge", "p4de.24xlarge", "p5.48xlarge", "p5e.48xlarge", "p5en.48xlarge", "p6-b200.48xlarge",
        "p6-b300.48xlarge",
    }  # fmt: skip


def test_gpus_are_found_by_name_in_any_case_and_every_family_has_a_known_one() -> None:
    assert set(with_gpu("t4")) == {name for name in known_types() if name.startswith("g4dn.")}
    assert with_gpu("K99") == ()
    assert {family.gpu for family in FAMILIES.values() if family.gpu} <= set(GPUS)  # Google Cloud has others besides


def test_nobody_gets_another_architecture_or_a_tiny_machine_unasked() -> None:
    unasked = offered_unasked()
    assert {arch_of(name) for name in unasked if not accelerators_of(name)} == {"x86_64"}
    assert not [name for name in unasked if name.startswith("t") or name.endswith(".metal")]
    assert set(USUAL) <= set(unasked)


def test_a_share_of_a_gpu_is_no_accelerator_and_an_unknown_gpu_gets_the_newest_driver() -> None:
    assert facts_of(RECORDED["g6f.xlarge"]).gpus == 0
    assert facts_of(RECORDED["g6f.xlarge"]).gpu is None
    strange = {**RECORDED["g6.xlarge"], "GpuInfo": {"Gpus": [{"Name": "Z 1", "Manufacturer": "NVIDIA", "Count": 1}]}}
    found = facts_of(strange)
    assert (found.gpu, found.gpus, found.driver_branch) == ("Z-1", 1, "580-server")
    amd = {**strange, "GpuInfo": {"Gpus": [{"Name": "Z 1", "Manufacturer": "AMD", "Count": 1}]}}
    assert facts_of(amd).driver_branch is None
