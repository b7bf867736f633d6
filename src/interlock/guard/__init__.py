"""One exchange with a model as a generator: it asks for I/O, inspects, decides, edits."""
