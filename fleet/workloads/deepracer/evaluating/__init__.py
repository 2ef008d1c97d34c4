"""Laps with a model that is not trained: what the simulator is told, what it tells, and the driver of it."""
