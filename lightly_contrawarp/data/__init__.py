"""Images to train and judge on: folders of the user, and built-in drawn faces."""
