"""How long spot's runs last, as learned from measured traces. Written by scripts/calibrate_deadlines.py: do not edit.

From the traces of the public repository skypilot-org/spot-traces (probes of one K80, V100, or eight, in us-west-2, us-east-1
and us-east-2, November 2022 to March 2023), resampled to ten minutes: the chance that a run of some age ends within the
next ten minutes, pooled over all zones and smoothed over neighbouring ages.
"""

TICK = 600.0
"""Seconds."""
EDGES = (600.0, 1200.0, 1800.0, 3000.0, 5400.0, 10200.0, 19800.0, 39000.0, 77400.0, 154200.0)
"""Ages, seconds, at which the bins meet."""
DOWN = (0.55214, 0.27077, 0.20246, 0.14762, 0.08723, 0.05299, 0.05067, 0.02507, 0.02095, 0.00502, 0.00644)
"""By bin of age: a drought ends."""
UP = (0.32427, 0.21204, 0.16379, 0.13276, 0.09798, 0.05975, 0.03438, 0.02285, 0.01502, 0.00871, 0.00412)
"""By bin of age: spot is taken back."""
