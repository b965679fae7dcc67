"""Experiment pages: one file is one experiment; `base.py` holds every key and its default."""
