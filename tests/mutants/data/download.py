"""Faults of minindrnn/data/download.py; `mutation` says what a row is."""

OTHER = [
    ("read", None, "the cache for a folder that was named", "if folder is not None:", "if False:"),
    ("look", None, "one hex digit of the hash is compared",
     "(got := hashlib.sha256(data).hexdigest()) == source.files[name]",
     "(got := hashlib.sha256(data).hexdigest())[0] == source.files[name][0]"),
    ("look", None, "all but the last digit",
     "(got := hashlib.sha256(data).hexdigest()) == source.files[name]",
     "(got := hashlib.sha256(data).hexdigest())[:63] == source.files[name][:63]"),
    ("fetch", None, "each way once", "ways * 2", "ways"),
    ("download", None, "waits for ever", "timeout=SECONDS", "timeout=None"),
]
