"""Runs side by side: rows, seeds, learning rates, and what they came to."""
