"""The only room with SQL: engine, tables, and one module per noun that is stored."""
