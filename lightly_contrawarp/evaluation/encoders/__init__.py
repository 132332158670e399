"""From images to features, with whatever encoder."""
