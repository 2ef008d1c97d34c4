"""The benchmark's tick model: one job, spot that comes and goes, on-demand that is always there, a deadline.

Time passes in ticks of one length; what a tick costs and brings is fixed by :mod:`fleet.core.ticks.model`, a policy chooses.
"""
