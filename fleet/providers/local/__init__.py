"""The embedded default: instances are groups of processes on this computer, volumes and buckets are folders.

Instances run the real agent, with a metadata endpoint that speaks IMDSv2, and a market that takes them back. Nothing is
imported here: a machine's supervisor starts within a tenth of a second, and an instance waits for it.
"""
