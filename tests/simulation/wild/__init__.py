"""What befell others: each test is named after a failure that docs/in-the-wild.md tells of, and lets it happen."""
