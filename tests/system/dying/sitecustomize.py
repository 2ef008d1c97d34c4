"""Imported by every Python process that finds this folder on its path: those that are to die learn where."""

from tests.system.dying.deaths import join

join()
