"""What `dacapo` can be told to do, a module each."""
