"""What the car is to learn. Change it, then: fleet deepracer check --plot reward.png."""

import math


def reward_function(params):
    """Stay on the track, near its middle, pointed along it, and be quick where that can be done."""
    if not params["all_wheels_on_track"] or params["is_crashed"]:
        return 0.001

    half = params["track_width"] / 2
    centred = max(0.0, 1.0 - params["distance_from_center"] / half)

    aligned = max(0.0, 1.0 - off_course(params) / 60.0)
    brisk = params["speed"] / 3.0 * aligned
    calm = 1.0 if abs(params["steering_angle"]) <= 15.0 else 0.8

    return float(calm * (0.4 * centred + 0.3 * aligned + 0.3 * brisk))


def off_course(params):
    """How far the car's heading is from the track's direction: 0 to 180 degrees."""
    waypoints = params["waypoints"]
    here = waypoints[params["closest_waypoints"][0]]
    ahead = waypoints[params["closest_waypoints"][1]]
    along = math.degrees(math.atan2(ahead[1] - here[1], ahead[0] - here[0]))
    return abs((params["heading"] - along + 180.0) % 360.0 - 180.0)
