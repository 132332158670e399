"""The whole line on drawn faces, with a report to look at."""
