"""A strict, seeded cloud on a virtual clock."""
