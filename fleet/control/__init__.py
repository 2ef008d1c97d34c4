"""The loop and its effects: observe, fold, plan, record, act."""
