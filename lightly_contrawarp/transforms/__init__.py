"""From a face to its views: global transforms and local warps."""
