"""The networks, behind one door: `load`."""
