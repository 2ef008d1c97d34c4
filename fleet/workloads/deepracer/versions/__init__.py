"""Versions of a model: their names, where each comes from, what it changed, and how one is made of another."""
