"""Wait for an external system that knows only a URL: a callback over HTTP."""
