"""What is looked at before any money is spent: the reward function, its action space, its hyperparameters, its tracks."""
