"""What comes from outside, made strange on purpose: a clear error or a correct result, never anything else."""
