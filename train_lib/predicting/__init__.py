"""Predictions: of a folder, of a pipe, from Python."""
