"""Jobs and policies tried on the past: through the whole controller, or in the benchmark's tick model."""
