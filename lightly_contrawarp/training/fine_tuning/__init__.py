"""Learning labels: encoder and classifier together."""
