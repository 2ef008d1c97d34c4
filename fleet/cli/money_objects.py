"""The objects that ``-o json`` prints of money (see objects.py)."""

from __future__ import annotations
