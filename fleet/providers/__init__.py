"""Clouds, as far as fleet needs one: the contract in base.py, and those who keep it."""
