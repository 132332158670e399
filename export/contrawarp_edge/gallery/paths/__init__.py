"""Where the images of a gallery lie."""
