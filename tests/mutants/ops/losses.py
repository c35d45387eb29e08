"""Faults of minindrnn/ops/losses.py; `mutation` says what a row is."""

BACKWARD = {
    "mean squared error": [
        ("mean_squared_error", "B1", "factor 2 forgotten", "2 * error / error", "error / error"),
        ("mean_squared_error", "B1", "divided by B only",
         "error.dtype.type(error.size)", "error.dtype.type(len(error))"),
    ],
    "cross-entropy": [
        ("cross_entropy", None, "right class forgotten", "dy[right] -= 1", "pass"),
        ("cross_entropy", "B2", "sum for mean",          "dy / y.dtype.type(R)", "dy"),
        ("cross_entropy", "B2", "mean over all, also what is not counted",
         "dy / y.dtype.type(R)", "dy / y.dtype.type(target.size)"),
        ("cross_entropy", None, "gradient where nothing counts",
         "np.where((target >= 0)[..., np.newaxis], np.exp(log_p), y.dtype.type(0))", "np.exp(log_p)"),
    ],
}

OTHER = [
    ("mean_squared_error", "B1", "half of it",
     "float(np.mean(np.float64(error)**2))", "float(np.mean(np.float64(error)**2)) / 2"),
    ("mean_squared_error", "B1", "the sum",            "np.mean(np.float64(error)**2", "np.sum(np.float64(error)**2"),
    ("mean_squared_error", "B1", "the absolute error",
     "np.mean(np.float64(error)**2", "np.mean(abs(np.float64(error))"),
    ("cross_entropy", "B2", "in bits", "float(-np.mean(", "float(-1.4426950408889634 * np.mean("),
    ("cross_entropy", "B2", "the mean over all",
     "np.mean(log_p[right], dtype=np.float64)", "np.sum(log_p[right], dtype=np.float64) / target.size"),
    ("cross_entropy", None, "-1 is the last class",
     "counted = np.nonzero(target >= 0)", "counted = np.nonzero(target >= -1)"),
    ("expect_classes", None, "one class too many", "target.max() >= K", "target.max() > K"),
    ("expect_classes", None, "what is not counted counts", "np.count_nonzero(target >= 0)", "target.size"),
]
