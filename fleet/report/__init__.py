"""Cost statements and pages."""
