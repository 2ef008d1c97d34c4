"""What runs on the instance: notices, supervision of training, checkpoints, the dead-man switch. Needs no controller."""
