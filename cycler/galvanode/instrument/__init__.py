"""What an instrument can do, and how it is reached: roles, readings, links, benches."""
