"""Colours that most people tell apart who see some colours alike; patterns for who sees none, or prints in black."""

from __future__ import annotations

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#6a51a3", "#444444")
"""Okabe and Ito's, but for two that are too light on white."""
DARK = ("#4aa8e0", "#ff8a4c", "#2fc99b", "#e69cc4", "#e0b83d", "#8fd0f5", "#a893e0", "#c8c8c8")
"""The same on a dark ground."""
HATCHES = ("", "///", "\\\\\\", "xxx", "---", "+++", "|||", "/")
"""No dots: they are heavy to draw."""
DASHES = ("solid", (0, (6, 2)), (0, (6, 2, 1, 2)), (0, (1.2, 1.6)), (0, (9, 2, 2, 2)), (0, (3, 3)))
