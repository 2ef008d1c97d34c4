"""Your reward function, in AWS DeepRacer's signature: change it, and see what the car learns."""

from __future__ import annotations

import math
from typing import Any


def reward_function(params: dict[str, Any]) -> float:
    """Stay on the track, near its middle, pointed along it, and be quick."""
    if not params["all_wheels_on_track"]:
        return 0.001
    centred = max(0.0, 1.0 - 2.0 * params["distance_from_center"] / params["track_width"])
    here, ahead = (params["waypoints"][i] for i in params["closest_waypoints"])
    along = math.degrees(math.atan2(ahead[1] - here[1], ahead[0] - here[0]))
    off = abs((params["heading"] - along + 180.0) % 360.0 - 180.0)
    aligned = max(0.0, 1.0 - off / 60.0)
    return float(0.2 * centred + 0.3 * aligned + 0.5 * aligned * params["speed"] / 3.0)
