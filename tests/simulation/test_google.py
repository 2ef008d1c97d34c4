"""The laws over Compute Engine: the real provider and Google's own library before the stand-in, on a world's clock.

``make soak CLOUD=gcp`` searches on.
"""

from __future__ import annotations

import pytest

from tests.simulation.chaos.explore import Explorer, Result
from tests.simulation.chaos.google import GoogleCloud
from tests.simulation.chaos.kinds import kind


def lived(seed: int, hours: float, runs: int, *, trace: bool = False) -> Result:
    """One world, in which nobody broke Google's discovery documents."""
    world = Explorer(seed, hours=hours, runs=runs, trace=trace, kind=kind("gcp"))
    result = world.explore()
    cloud = world.world.cloud
    assert isinstance(cloud, GoogleCloud)
    assert cloud.router.cloud.faults == []
    told = f"python -m tests.simulation.chaos replay {seed} --hours {hours:g} --runs {runs} --trace --cloud gcp"
    assert result.violations == [], told
    return result


def test_no_law_is_broken_over_compute_engine_and_a_seed_replays_everything() -> None:
    first, second = (lived(2, 3, 3, trace=True) for _ in (0, 1))
    assert first.trace == second.trace
    assert (first.events, first.effects, first.reached) == (second.events, second.effects, second.reached)
    assert first.instance_hours > 3


@pytest.mark.system
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(200, 204))
def test_no_law_is_broken_over_compute_engine_in_a_storm(seed: int) -> None:
    result = lived(seed, 24, 6)
    assert result.instance_hours > 10
    assert [what for what, _, _ in result.reached if what.isupper() or what.split()[0].isupper()]
