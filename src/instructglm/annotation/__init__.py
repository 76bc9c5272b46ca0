"""What several people said of the same items: how far they agree, and what follows from it."""
