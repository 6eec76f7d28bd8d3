"""The page of an execution: its model, what makes the model, and what draws it as HTML."""
