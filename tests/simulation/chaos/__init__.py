"""The whole system in one process on a virtual clock, with everything going wrong: one seed replays all of it."""
