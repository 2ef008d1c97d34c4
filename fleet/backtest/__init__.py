"""Jobs and policies tried on the past: the same decisions as in the cloud over recorded or drawn prices and capacity, and the
benchmark's tick model on measured traces.
"""
