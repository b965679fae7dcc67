"""What is told of an autoencoder, and what it makes: restored scans and new ones."""
