"""Groups of pictures that nobody has labelled: features, clusters, quality, what looks alike."""
