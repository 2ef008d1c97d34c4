"""Train the car. Saves its complete state every few iterations and when it is asked to, resumes from it, and ends with the
same model byte for byte however often it is interrupted: one iteration is a pure function of the state before it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_name] = "1"  # sums in another order would be other sums

import numpy as np  # noqa: E402 - after the threads are pinned
from policy import SHAPES, Weights, adam, forward, fresh_weights, gradient  # noqa: E402
from reward_function import reward_function  # noqa: E402
from track import WAYPOINTS, Cars, Floats, Ints, Track  # noqa: E402

try:
    from fleet import progress, save_requested, saved
except ImportError:  # fleet is not needed to train: its protocol is lines on standard output

    def progress(step: int, *, total: int | None = None, **metrics: float) -> None:
        """Tell how far training is."""
        of_all = [f"total={total}"] if total is not None else []
        print(f"fleet.progress step={step}", *of_all, *(f"{k}={v:.6g}" for k, v in metrics.items()), flush=True)

    def saved(step: int) -> None:
        """Tell which step the checkpoint holds."""
        print(f"fleet.saved step={step} at={time.time():.6f}", flush=True)

    def save_requested() -> bool:
        """Nobody asks."""
        return False


CARS = 32
HORIZON = 64
EPOCHS = 4
BATCH = 512
DISCOUNT, SMOOTHING = 0.97, 0.95
SEED = 2019
LAP_STEPS = 160
EVALUATE_EVERY = 10


@dataclass
class State:
    """Everything that the next iteration depends on."""

    iteration: int
    weights: Weights
    mean: Weights
    square: Weights
    updates: int
    random: np.random.Generator
    history: list[tuple[int, float, float]]
    """Iteration, mean reward per step, share of cars that complete a lap."""


def fresh_state() -> State:
    """The beginning."""
    random = np.random.Generator(np.random.PCG64(SEED))
    weights = fresh_weights(random)
    zeros = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    return State(0, weights, dict(zeros), dict(zeros), 0, random, [])


def save(state: State, path: Path) -> None:
    """Write the state whole: temporary file, fsync, rename."""
    arrays: dict[str, Floats] = {}
    for kind, values in (("w", state.weights), ("m", state.mean), ("s", state.square)):
        arrays |= {f"{kind}_{name}": value for name, value in values.items()}
    counters = {"iteration": state.iteration, "updates": state.updates, "random": state.random.bit_generator.state}
    arrays["history"] = np.array(state.history, dtype=np.float64).reshape(-1, 3)
    write_whole(path, arrays, json.dumps(counters, sort_keys=True))


def write_whole(path: Path, arrays: dict[str, Floats], text: str) -> None:
    """An .npz file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        np.savez(file, text=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load(path: Path) -> State:
    """The state that was saved."""
    with np.load(path) as data:
        counters = json.loads(data["text"].tobytes())
        random = np.random.Generator(np.random.PCG64())
        random.bit_generator.state = counters["random"]
        weights, mean, square = ({name: data[f"{kind}_{name}"] for name in SHAPES} for kind in "wms")
        history = [(int(i), float(r), float(laps)) for i, r, laps in data["history"]]
    return State(counters["iteration"], weights, mean, square, counters["updates"], random, history)


def rewards_of(track: Track, cars: Cars, driving: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
    """The user's reward for each car that drove this step. A mistake in the reward function is told as theirs."""
    found = np.zeros(len(driving))
    for i, params in enumerate(track.params(cars)):
        if driving[i]:
            try:
                found[i] = float(reward_function(params))
            except Exception as error:  # noqa: BLE001 - whatever the user wrote
                sys.exit(f"Reward function error: {type(error).__name__}: {error}")
    return found


def collect(state: State, track: Track) -> tuple[Floats, Ints, Floats, Floats, Floats, float]:
    """Drive: observations, actions, advantages, value targets, probabilities, and the mean reward per step."""
    random = state.random
    at = random.integers(0, WAYPOINTS, CARS)
    cars = track.start(at, random.uniform(-0.25, 0.25, CARS), random.uniform(-0.3, 0.3, CARS))
    seen, actions, rewards, values, chances, driving = [], [], [], [], [], []
    for _ in range(HORIZON):
        on = ~cars.off
        look = track.observe(cars)
        probabilities, value, _, _ = forward(state.weights, look)
        drawn = (probabilities.cumsum(axis=1) < random.random((CARS, 1))).sum(axis=1)
        action = np.minimum(drawn, probabilities.shape[1] - 1).astype(np.int64)
        track.move(cars, action)
        rewards.append(rewards_of(track, cars, on))
        seen.append(look)
        actions.append(action)
        values.append(value)
        chances.append(probabilities[np.arange(CARS), action])
        driving.append(on)
    last = forward(state.weights, track.observe(cars))[1] * ~cars.off
    mask = np.array(driving)
    advantage = advantages(np.array(rewards), np.array(values), mask, last)
    target = advantage + np.array(values)
    keep = mask.ravel()
    flat = advantage.ravel()[keep]
    normal = (flat - flat.mean()) / (flat.std() + 1e-8)
    mean = float(np.array(rewards).sum() / (CARS * HORIZON))
    return (
        np.concatenate(seen)[keep],
        np.concatenate(actions)[keep],
        normal,
        target.ravel()[keep],
        np.concatenate(chances)[keep],
        mean,
    )


def advantages(
    rewards: Floats, values: Floats, driving: np.ndarray[tuple[int, int], np.dtype[np.bool_]], last: Floats
) -> Floats:
    """Generalised advantage estimation (Schulman et al., 2016); a car that left the track earns nothing afterwards."""
    found = np.zeros_like(rewards)
    ahead, value_ahead = np.zeros(rewards.shape[1]), last
    for t in reversed(range(len(rewards))):
        goes_on = driving[t + 1] if t + 1 < len(rewards) else last != 0
        delta = rewards[t] + DISCOUNT * value_ahead * goes_on - values[t]
        ahead = np.where(driving[t], delta + DISCOUNT * SMOOTHING * ahead * goes_on, 0.0)
        found[t], value_ahead = ahead, values[t]
    return found


def iterate(state: State, track: Track) -> None:
    """One iteration: drive, then learn from it."""
    seen, actions, advantage, target, chances, reward = collect(state, track)
    for _ in range(EPOCHS):
        order = state.random.permutation(len(actions))
        for begin in range(0, len(order), BATCH):
            part = order[begin : begin + BATCH]
            grad = gradient(state.weights, seen[part], actions[part], advantage[part], target[part], chances[part])
            state.updates += 1
            adam(state.weights, state.mean, state.square, grad, state.updates)
    state.iteration += 1
    before = state.history[-1][2] if state.history else 0.0
    laps = evaluate(state.weights, track) if state.iteration % EVALUATE_EVERY == 0 else before
    state.history.append((state.iteration, reward, laps))


def evaluate(weights: Weights, track: Track, cars_count: int = 8) -> float:
    """The share of cars, spread over the track, that complete a lap without leaving it."""
    at = np.arange(cars_count) * WAYPOINTS // cars_count
    cars = track.start(at, np.zeros(cars_count), np.zeros(cars_count))
    lapped = np.zeros(cars_count, dtype=np.bool_)
    for _ in range(LAP_STEPS):
        action = forward(weights, track.observe(cars))[0].argmax(axis=1).astype(np.int64)
        track.move(cars, action)
        lapped |= ~cars.off & (cars.travelled >= WAYPOINTS)
    return float(lapped.mean())


def main() -> None:
    """Train to the end, or until SIGTERM."""
    parser = argparse.ArgumentParser(description="Train a small car to lap a track.")
    parser.add_argument("--iterations", type=int, default=int(os.environ.get("RACER_ITERATIONS", "300")))
    parser.add_argument("--save-every", type=int, default=10, metavar="N", help="iterations between two checkpoints")
    parser.add_argument(
        "--pace",
        type=float,
        default=float(os.environ.get("RACER_PACE", "0")),
        metavar="SECONDS",
        help="an iteration takes at least so long: a fast computer would be done before anything can be watched",
    )
    parser.add_argument("--evaluate", type=Path, metavar="MODEL", help="only drive a saved model, and tell how well")
    options = parser.parse_args()
    track = Track()
    if options.evaluate:
        with np.load(options.evaluate) as data:
            share = evaluate({name: data[name] for name in SHAPES}, track, cars_count=24)
        print(f"{share:.0%} of 24 cars complete a lap")
        return
    train(track, options.iterations, options.save_every, options.pace)


def keep(state: State, checkpoint: Path) -> int:
    """Save, and tell so; the iteration saved."""
    save(state, checkpoint)
    saved(state.iteration)
    return state.iteration


def train(track: Track, iterations: int, save_every: int, pace: float) -> None:
    """Go on from the checkpoint; write the model at the end."""
    stop: list[int] = []

    def asked_to_stop(number: int, _frame: FrameType | None) -> None:
        stop.append(number)

    signal.signal(signal.SIGTERM, asked_to_stop)
    checkpoint = Path(os.environ.get("FLEET_CHECKPOINTS", "checkpoints")) / "racer.npz"
    output = Path(os.environ.get("FLEET_VOLUME", ".")) / "output" / "model.npz"
    state = load(checkpoint) if checkpoint.exists() else fresh_state()
    print(f"begins at iteration {state.iteration} of {iterations}", flush=True)
    held = state.iteration
    while state.iteration < iterations and not stop:
        begun = time.monotonic()
        iterate(state, track)
        progress(state.iteration, reward=state.history[-1][1], laps=state.history[-1][2])
        if state.iteration % save_every == 0 or save_requested():
            held = keep(state, checkpoint)
        time.sleep(max(0.0, begun + pace - time.monotonic()))
    if held < state.iteration:
        keep(state, checkpoint)
    if state.iteration >= iterations:
        history = np.array(state.history, dtype=np.float64)
        write_whole(output, {**state.weights, "history": history}, json.dumps({"iterations": state.iteration}))
        print(f"done: {state.history[-1][2]:.0%} of the cars complete a lap", flush=True)


if __name__ == "__main__":
    main()
