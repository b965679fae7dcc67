"""Batches, a net and a loss become a trained state."""
