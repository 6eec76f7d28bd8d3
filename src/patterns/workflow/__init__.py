"""A business flow: reserve, pay, ship; and if that comes to nothing, all of it undone."""
