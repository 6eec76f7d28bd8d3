"""Wait for a third party that knows a URL and nothing else: `wait_for_callback` over HTTP."""
