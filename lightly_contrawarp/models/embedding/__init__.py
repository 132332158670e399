"""What an exported model computes after its encoder."""
