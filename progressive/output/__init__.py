"""The output folder of a run: pictures, their time line, the report."""
