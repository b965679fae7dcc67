"""What is told of a pose net, and how it finds people in pictures."""
