"""What a new instance is told: its launch request and user-data."""
