"""Weights that another program or run learned."""
