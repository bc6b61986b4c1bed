"""A bundle as a service on Ray Serve: conversations in over HTTP, predictions out, and a page to look at them."""
