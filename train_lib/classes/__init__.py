"""What is told of a classifier: its figures, its test table, where it looks."""
