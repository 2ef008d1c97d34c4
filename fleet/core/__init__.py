"""Decisions only: functions of (state, observed, now). No clock, no environment, no network, no disk."""
