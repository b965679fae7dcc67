"""Sources, a file each, listed in `data.SOURCES`; what a source is stands in data/batch.py."""
