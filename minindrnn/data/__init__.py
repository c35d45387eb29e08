"""Tasks' data as plain arrays, time-major: x (T, B, M). Nothing is downloaded at import."""
