"""An exported model: what it says of itself, and running it."""
