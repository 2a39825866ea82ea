"""Few fixtures, all explicit."""
