"""Files that a crash cannot leave half written: records, checkpoints, locks, stores."""
