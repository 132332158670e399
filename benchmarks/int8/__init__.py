"""What 8 bits cost and gain, on encoders that anybody can train again."""
