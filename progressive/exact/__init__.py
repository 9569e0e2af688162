"""Computing that gives the same integers everywhere: layers, tables, entropy coders."""
