"""Every figure of docs/results.md, measured again by the commands that the page tells."""
