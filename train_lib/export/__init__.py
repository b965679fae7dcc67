"""The net of a run in other programs: its folder, its model card, StableHLO."""
