"""Move the weights: batches, loss, schedule, checks and checkpoints."""
