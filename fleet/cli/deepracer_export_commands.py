"""Commands about a DeepRacer model's export; declarations only."""
