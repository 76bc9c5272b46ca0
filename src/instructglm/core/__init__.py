"""What every stage agrees on."""
