"""The contrast between views."""
