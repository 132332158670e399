"""A gallery as a web service: REST and a page. Needs ``contrawarp-edge[serve]``."""
