"""A strict, seeded cloud on a virtual clock: stricter than the real ones, so that what works here works there."""
