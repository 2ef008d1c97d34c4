"""Commands about a DeepRacer model's pictures: plot, watch; declarations only."""
