"""Voices over HTTP and Wyoming, as the clients of other speech servers know them."""
