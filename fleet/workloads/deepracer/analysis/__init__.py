"""What a training's records say: logs, metrics and traces read, summed up by iteration, and judged."""
