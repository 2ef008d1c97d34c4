"""DeepRacer local training: the stack, its checkpoints and their repair, and what to check before spending."""
