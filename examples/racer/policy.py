"""A small policy network with a value head, its gradient by hand, and Adam: all of it plain arrays."""

from __future__ import annotations

import numpy as np
from track import ACTIONS, OBSERVATIONS, Floats, Ints

HIDDEN = 32
SHAPES = {
    "w1": (OBSERVATIONS, HIDDEN),
    "b1": (HIDDEN,),
    "w2": (HIDDEN, HIDDEN),
    "b2": (HIDDEN,),
    "wp": (HIDDEN, ACTIONS),
    "bp": (ACTIONS,),
    "wv": (HIDDEN, 1),
    "bv": (1,),
}
Weights = dict[str, Floats]


def fresh_weights(random: np.random.Generator) -> Weights:
    """Small random weights; the policy begins almost uniform."""
    scale = {"wp": 0.01, "wv": 0.1}
    return {
        name: random.normal(0.0, scale.get(name, 1.0 / np.sqrt(shape[0])), shape) if len(shape) == 2 else np.zeros(shape)
        for name, shape in SHAPES.items()
    }


def forward(weights: Weights, seen: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Action probabilities, values, and the two hidden layers."""
    first = np.tanh(seen @ weights["w1"] + weights["b1"])
    second = np.tanh(first @ weights["w2"] + weights["b2"])
    logits = second @ weights["wp"] + weights["bp"]
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    value = (second @ weights["wv"] + weights["bv"])[:, 0]
    return exp / exp.sum(axis=1, keepdims=True), value, first, second


def gradient(
    weights: Weights,
    seen: Floats,
    action: Ints,
    advantage: Floats,
    target: Floats,
    before: Floats,
    clip: float = 0.2,
    entropy: float = 0.01,
) -> Weights:
    """The gradient of PPO's clipped loss, value loss and entropy bonus, averaged over the samples."""
    probabilities, value, first, second = forward(weights, seen)
    rows, count = np.arange(len(action)), len(action)
    chosen = probabilities[rows, action]
    ratio = chosen / before
    clipped = ((advantage > 0) & (ratio > 1 + clip)) | ((advantage < 0) & (ratio < 1 - clip))
    push = np.where(clipped, 0.0, ratio * advantage)
    one_hot = np.zeros_like(probabilities)
    one_hot[rows, action] = 1.0
    log = np.log(probabilities + 1e-12)
    spread = -(probabilities * log).sum(axis=1, keepdims=True)
    d_logits = -(push[:, None] * (one_hot - probabilities)) + entropy * probabilities * (log + spread)
    d_logits /= count
    d_value = ((value - target) / count)[:, None]
    d_second = (d_logits @ weights["wp"].T + d_value @ weights["wv"].T) * (1 - second**2)
    d_first = (d_second @ weights["w2"].T) * (1 - first**2)
    return {
        "w1": seen.T @ d_first,
        "b1": d_first.sum(axis=0),
        "w2": first.T @ d_second,
        "b2": d_second.sum(axis=0),
        "wp": second.T @ d_logits,
        "bp": d_logits.sum(axis=0),
        "wv": second.T @ d_value,
        "bv": d_value.sum(axis=0),
    }


def adam(weights: Weights, mean: Weights, square: Weights, grad: Weights, count: int, rate: float = 0.003) -> None:
    """One step of Adam, in place; ``count`` is the number of this step, from 1."""
    for name, change in grad.items():
        mean[name] = 0.9 * mean[name] + 0.1 * change
        square[name] = 0.999 * square[name] + 0.001 * change**2
        unbiased = mean[name] / (1 - 0.9**count), square[name] / (1 - 0.999**count)
        weights[name] = weights[name] - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
