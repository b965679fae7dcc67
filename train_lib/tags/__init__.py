"""What is told of a tagger: its figures, its test table, captions."""
