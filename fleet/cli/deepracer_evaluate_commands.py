"""Commands about a DeepRacer model's evaluations; declarations only."""
