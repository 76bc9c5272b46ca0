"""Training in several processes: what they know of each other, how gradients meet, and how they are started."""
