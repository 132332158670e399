"""What can be measured of features, one module for each measure."""
