"""Several processes of one run, on one or many hosts."""
