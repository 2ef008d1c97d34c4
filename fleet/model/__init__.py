"""The words of fleet as frozen types: validation, no behaviour. Imports nothing of fleet but itself."""
