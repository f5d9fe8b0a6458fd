"""The read API: the marts and the status over HTTP, and the page that shows them."""
