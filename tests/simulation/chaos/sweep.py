"""The exhaustive sweep: each effect of each life is somebody's last, before it, after it and in its middle.

    python -m tests.simulation.chaos sweep SCENARIO                          its effects, by number
    python -m tests.simulation.chaos sweep SCENARIO NUMBER HOW [BACK]        one death again, with everything that happens

Where the next change is the same client's, in the same turn, dying after one is dying before the other: nothing else
happens in the world between them. So only a client's last change in a turn is swept on both sides.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from fleet.core.state import RunState
from fleet.model import layout
from tests.simulation.chaos.filework import leftovers
from tests.simulation.chaos.laws import ALIVE
from tests.simulation.chaos.scenarios import SCENARIOS
from tests.simulation.chaos.swept import Death, Effect, How, Return, Swept
from tests.simulation.chaos.training import model_after

QUIET_END = 1800.0
COSTLY = frozenset(
    {"launch", "terminate", "attach", "detach", "grow_volume", "delete_volume", "create launch", "create journal"}
)
"""Effects of a controller in the middle of which a machine or a disk may be left to itself."""


@dataclass(frozen=True, slots=True)
class Life:
    """What one life came to."""

    effects: Sequence[Effect]
    violations: Sequence[str]
    trace: Sequence[str]


def lived(scenario: str, death: Death | None = None, *, trace: bool = False) -> Life:
    """One life of a scenario, with one death or none, judged."""
    world = Swept(death, trace=trace)
    with world.alive():
        world.laws.healthy_since = world.clock()
        world.at(1800, lambda: _half_hourly(world))
        SCENARIOS[scenario](world)
        world.until(
            "the run is over, and its disk is gone",
            lambda run: run.over and bool(world.laptops) and not _held(world),
            30 * 3600,
        )
        world.live(QUIET_END)
        if not world.laws.violations:
            _at_rest(world)
        return Life(world.numbers.seen, world.laws.violations, world.trace or [])


def _half_hourly(world: Swept) -> None:
    if not world.laptops:
        world.laws.healthy_since = None
    elif world.laws.healthy_since is None:
        world.laws.healthy_since = world.clock()
    world.laws.look_around()
    world.at(1800, lambda: _half_hourly(world))


def _held(world: Swept) -> bool:
    """Some disk exists that is to go without a further word."""
    kept = world.run is not None and world.run.job.volume.keep is not None and world.run.job.volume.keep > 86_400
    return not kept and any(v.deleted_at is None for v in world.cloud.volumes.values())


def _at_rest(world: Swept) -> None:
    """What is left once everything is over."""
    laws, now = world.laws, world.clock()
    for made in world.cloud.instances.values():
        if made.state.at(now) in ALIVE:
            laws.broken("nothing is left running", made.instance_id)
    if world.bucket.list(layout.HEARTBEATS):
        laws.broken("the words of the dead are forgotten", world.bucket.list(layout.HEARTBEATS)[0].key)
    for name in world.prepared:
        if left := leftovers(world.folder / "volumes" / name):
            laws.broken("nothing half done is left on a disk", f"{name}: {left}")
    if not laws.state.runs and world.numbers.victim is not world.user:
        laws.broken("what the user started exists", "there is no run")
    for run in laws.state.runs.values():
        laws.check_ledger(run)
        _judge(world, run)


def _judge(world: Swept, run: RunState) -> None:
    """One run's end."""
    if run.outcome not in world.expected:
        world.laws.broken("a run ends as it would have", f"{run.run_id} {run.outcome}: {run.reason}")
    if run.outcome == "succeeded":
        data = world.bucket.data.get(layout.models(run.name) + "model")
        if data is None or data[0].decode() != model_after(int(run.job.envs["STEPS"])):
            world.laws.broken("the model is the one that it would have been", run.run_id)


def deaths(effects: Sequence[Effect]) -> Iterator[Death]:
    """Every death that differs from every other."""
    for number, effect in enumerate(effects, 1):
        yield from (Death(number, "before", back) for back in _returns(effect))
        if effect.has_middle:
            yield Death(number, "middle")
        following = effects[number] if number < len(effects) else None
        if following is None or (following.client, following.turn) != (effect.client, effect.turn):
            yield from (Death(number, "after", back) for back in _returns(effect))


def _returns(effect: Effect) -> Sequence[Return]:
    """A controller may be started again at once, or after hours; a user may type the command again, or go."""
    if effect.who == "user":
        return ("soon", "never")
    return ("soon", "late") if effect.who == "controller" and effect.what in COSTLY else ("soon",)


def swept(scenario: str) -> Iterator[str]:
    """Every death of a scenario that breaks a law, told."""
    calm = lived(scenario)
    if calm.violations:
        yield f"{scenario}, with nobody dying: {'; '.join(calm.violations)}"
        return
    for death in deaths(calm.effects):
        life, effect = lived(scenario, death), calm.effects[death.number - 1]
        if life.effects[: death.number] != calm.effects[: death.number]:
            yield told(scenario, death, effect, ["what came before it was not the same"])
        elif life.violations:
            yield told(scenario, death, effect, life.violations)


def told(scenario: str, death: Death, effect: Effect, violations: Sequence[str]) -> str:
    """A death that broke a law, and the command that replays it."""
    return (
        f"{scenario}: {effect.who} dies {death.how} effect {death.number} ({effect.what}), back {death.back}: "
        f"{'; '.join(violations)}\n    python -m tests.simulation.chaos sweep {scenario} {death}"
    )


def main(words: Sequence[str]) -> int:
    """A scenario's effects, or one death with its trace."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.chaos sweep", description=main.__doc__)
    parser.add_argument("scenario", choices=list(SCENARIOS))
    parser.add_argument("number", type=int, nargs="?", default=0, help="of the effect; without one they are listed")
    parser.add_argument("how", nargs="?", default="before", choices=get_args(How))
    parser.add_argument("back", nargs="?", default="soon", choices=get_args(Return))
    given = parser.parse_args(words)
    life = lived(given.scenario, Death(given.number, given.how, given.back), trace=True)
    if given.number:
        print("\n".join(life.trace))
    else:
        for number, effect in enumerate(life.effects, 1):
            print(f"{number:5}  {effect.who:<11}{effect.what}{'  (has a middle)' if effect.has_middle else ''}")
    print("\n".join(life.violations) or "no law is broken")
    return 1 if life.violations else 0
