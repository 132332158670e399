"""What the features of a frozen encoder are worth, measured on labelled images."""
