"""Where images come from: folders, lists, videos, and what is said about them."""
