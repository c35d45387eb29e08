"""Tasks' data as plain arrays: see each function for their order. Nothing is downloaded at import."""
