"""A large fleet on one core: 2,000 live runs, 2,000 instances, 20,000 journal entries on a folder.

    python -m benchmarks.scale [LIVE_RUNS]

Each phase runs in a process of its own on one core, three times; the median counts, and the peak memory is the process's.
The files are in the operating system's cache: this measures fleet, not the disk.

- from entry 0, from a snapshot: importing fleet and reading until the state is there, interpreter's start not counted.
  The snapshot is as old as they get (99 entries are read after it).
- first tick: of a new process. It reads every heartbeat and every desired.json.
- tick: ten entries by another controller have come, and ten of the heartbeats have changed (two of them with a notice).
  Counted: reading and folding the entries, listing 2,000 heartbeats and reading ten, looking at a listing of 2,000
  instances and as many volumes, facts, plan, one entry recorded, and doing what it says (launches, documents), all with
  fsync. The cloud answers from memory at once.
- tick with a snapshot: the same, when a snapshot is due as well.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LIVE = 2000
ROUNDS = 3
TICKS = 5
TEN = 10
LEAST = 20
"""A smaller fleet has not enough runs to take two of in every tick."""


def main() -> None:
    """Print each figure with its target, then what a run costs in fleets of several sizes."""
    live = int(sys.argv[1]) if len(sys.argv) > 1 else LIVE
    sizes = sorted({max(LEAST, live // 100), max(LEAST, live // 10), live})
    found: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        for size in sizes:
            where = Path(folder) / str(size)
            _run("build", where, size)
            found[size] = {}
            for phase in ("entries", "snapshot", "tick"):
                rounds = [_round(phase, where, size) for _ in range(ROUNDS)]
                for name in rounds[0]:
                    found[size][name] = statistics.median(one[name] for one in rounds)
    _print(live, found[live])
    _print_growth(found)


def _print_growth(found: dict[int, dict[str, float]]) -> None:
    """Imports and fsync cost the same in every fleet, and weigh on small ones; a further run should cost the same in all."""
    sizes = sorted(found)
    print("\nper live run, and for each further one (cpu)")
    for name in ("from entry 0", "from a snapshot", "tick"):
        each = [f"{size:,} runs {found[size][name] / size * 1e6:,.0f} µs" for size in sizes]
        further = [
            f"{small:,} to {large:,} runs "
            f"{(found[large][f'{name} cpu'] - found[small][f'{name} cpu']) / (large - small) * 1e6:,.0f} µs"
            for small, large in itertools.pairwise(sizes)
        ]
        print(f"{name:<22} {', '.join(each)}; {', '.join(further)}")


def _print(live: int, found: dict[str, float]) -> None:
    print(f"{live:,} live runs and instances, {live * 10:,} journal entries, one core")
    targets = {"from entry 0": 3.0, "from a snapshot": 1.0, "tick": 1.0, "tick with a snapshot": 1.0}
    for name in ("from entry 0", "from a snapshot", "first tick", "tick", "tick with a snapshot"):
        wanted = f"target {targets[name]:.0f} s" if name in targets else ""
        peak = found.get(f"{name} memory")
        memory = f"peak memory {peak:.0f} MB (target 300)" if peak is not None else ""
        print(f"{name:<22} {found[name]:6.2f} s (cpu {found[f'{name} cpu']:.2f} s)  {wanted:<11} {memory}")
    print(f"{'an ended run, a tick':<22} {found['ended'] * 1e6:6.2f} µs")


def _round(phase: str, folder: Path, live: int) -> dict[str, float]:
    """A phase; one that writes has a copy of the fleet."""
    if phase != "tick":
        return _run(phase, folder, live)
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        return _run(phase, Path(copy), live)


def _run(phase: str, folder: Path, live: int) -> dict[str, float]:
    """One phase in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.scale", phase, str(folder), str(live)]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _phase(phase: str, folder: Path, live: int) -> dict[str, float]:
    if phase == "build":
        from benchmarks.scale_fleet import build

        build(folder, live, time.time())
        return {}
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return _ticks(folder) if phase == "tick" else _cold(phase, folder)


class _Stopwatch:
    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self, name: str) -> dict[str, float]:
        return {name: time.perf_counter() - self.wall, f"{name} cpu": time.process_time() - self.cpu}


def _memory() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def _cold(phase: str, folder: Path) -> dict[str, float]:
    name = "from entry 0" if phase == "entries" else "from a snapshot"
    watch = _Stopwatch()
    from fleet.control.controller import Controller
    from fleet.store.files import FileObjects
    from fleet.store.journal import Journal

    objects = FileObjects(folder)
    controller = Controller(objects, Journal(objects, "bench", by="reader", version="0"), "bench", {})
    if phase == "entries":
        controller.catch_up()
    else:
        controller.load()
    found = {**watch.read(name), f"{name} memory": _memory()}
    assert controller.state.head == controller.journal.head > 0
    return found


def _ticks(folder: Path) -> dict[str, float]:
    from benchmarks.scale_cloud import FLEET, world
    from benchmarks.scale_fleet import book_of
    from fleet.control.controller import Controller
    from fleet.store.files import FileObjects

    objects = FileObjects(folder)
    controller = Controller(objects, book_of(objects), FLEET, {})
    controller.load()
    cloud = world(controller.state, time.time)
    controller.observer.providers = controller.effects.providers = {"sim": cloud}
    watch = _Stopwatch()
    tick = controller.tick()
    found = watch.read("first tick")
    assert tick.observed.listings[("sim", "r")].instances
    each: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    other = book_of(objects, by="laptop-2")
    other.start_from(controller.journal.head, controller.journal.head_sha256)
    number = 0
    while len(each[False]) < TICKS or not each[True]:
        number += 1
        _ten_of_each(controller, objects, other, number)
        snapshot_before = len(objects.list("snapshots/")), objects.list("snapshots/")[-1].key
        watch = _Stopwatch()
        tick = controller.tick()
        took = watch.read("tick")
        assert [event.type for event in tick.events].count("notice-seen") == 2, tick.events
        assert [type(action).__name__ for action in tick.actions].count("Launch") == 2
        snapshot_after = len(objects.list("snapshots/")), objects.list("snapshots/")[-1].key
        each[snapshot_before != snapshot_after].append(took)
    for with_snapshot, name in ((False, "tick"), (True, "tick with a snapshot")):
        found[name] = statistics.median(one["tick"] for one in each[with_snapshot])
        found[f"{name} cpu"] = statistics.median(one["tick cpu"] for one in each[with_snapshot])
    found["tick memory"] = _memory()
    return {**found, "ended": _ended_cost(controller, tick.observed)}


def _ten_of_each(controller: Any, objects: Any, other: Any, number: int) -> None:
    """Ten entries by another controller, ten new heartbeats."""
    from benchmarks.scale_fleet import heartbeat
    from fleet.core.upcast import encode
    from fleet.model import events as ev
    from fleet.model import layout
    from fleet.model.documents import Notice

    now = objects.now()
    training = [
        run for run in controller.state.busy_runs if run.newest and run.newest.phase == "running" and not run.newest.notice
    ]
    chosen = [training[(number * 37 + 101 * n) % len(training)] for n in range(TEN)]
    other.refresh()
    for n, run in enumerate(chosen):
        text = f"note {number} {n}"
        assert other.append([encode(ev.NoteAdded(at=now, run_id=run.run_id, text=text))]) is not None
    for n, run in enumerate({run.run_id: run for run in training[number % len(training) :] + training}.values()):
        if n == TEN:
            break
        a = run.newest
        notice = {"notice": Notice(kind="notice", seen_at=now, until=now + 120), "phase": "draining"} if n < 2 else {}
        data = heartbeat(run.run_id, a.number, a.instance_id, a.resumed, now, step=5000 + number, **notice)
        objects.put(layout.heartbeat(run.run_id, a.number), data)


def _ended_cost(controller: Any, observed: Any) -> float:
    """Seconds that one more ended run adds to what a tick thinks."""
    from fleet.core.facts import facts
    from fleet.core.plan import plan

    state = controller.state
    ended = [run for run in state.runs.values() if run.ended_at is not None and not run.live_attempts]
    more = {f"{run.run_id}-{n}": run for n in range(20) for run in ended}
    grown = state.model_copy(update={"runs": {**state.runs, **more}})

    def thinking(of: Any) -> float:
        watch = _Stopwatch()
        facts(of, observed)
        plan(of, observed)
        return watch.read("x")["x"]

    extra = min(thinking(grown) for _ in range(5)) - min(thinking(state) for _ in range(5))
    return max(0.0, extra) / max(1, len(more))


if __name__ == "__main__":
    if len(sys.argv) == 4:
        json.dump(_phase(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])), sys.stdout)
    else:
        main()
