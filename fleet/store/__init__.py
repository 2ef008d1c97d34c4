"""The bucket: objects, the journal, snapshots, checkpoints."""
