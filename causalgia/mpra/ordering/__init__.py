"""Part of the bench."""
