"""Policies tried on measured traces: reads them, and runs many windows on all cores."""
