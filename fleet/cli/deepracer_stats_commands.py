"""Commands about a DeepRacer model's numbers: stats; declarations only."""
