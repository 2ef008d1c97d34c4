"""The process in which somebody's reward function is called: the standard library alone, and little of that allowed.

Confined in layers, since not every system has every one: limits of the system (CPU time, memory, size of files, processes),
no network by a network namespace of its own, a filter of system calls (Linux), and an audit hook, which also knows the line
of the reward function that tried something. What is in force is told with the results.
"""
