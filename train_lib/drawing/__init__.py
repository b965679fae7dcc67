"""What figures and pictures look like: tables, plots, sheets."""
