"""A job tried on the past: the same decisions as in the cloud, made over recorded or drawn prices and capacity."""
