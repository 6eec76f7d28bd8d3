"""Wait for an external system that knows only a URL: `wait_for_callback` over HTTP."""
