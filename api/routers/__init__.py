"""One module per noun of the HTTP contract; a route parses, calls one function, answers."""
