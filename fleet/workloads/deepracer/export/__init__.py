"""Handing a model on: what each taker wants of it, laid, sent, and read back."""
