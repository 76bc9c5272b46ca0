"""Collecting instructions: what there is, how varied it is, what is missing, and new ones for a person to accept."""
