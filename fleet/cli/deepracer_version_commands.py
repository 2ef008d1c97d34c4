"""Commands about a DeepRacer model's versions: clone, tree, diff; declarations only."""
