"""Faults of minindrnn/training/dynamic_evaluation.py; `mutation` says what a row is."""

TESTS = [
    "training/test_dynamic_evaluation.py",
]

OTHER = [
    ("gradients", None, "the state is not carried",
     "state, start = network.last_state(cache), start", "state, start = None, start"),
    ("gradients", None, "every segment is the first", "start + len(x)", "0"),
    ("gradients", None, "learned before it is asked",
     "yield value, grads\nif learn is not None:\n    learn(grads)",
     "if learn is not None:\n    learn(grads)\n    value = loss(network.forward(x)[0], target)[0]\nyield value, grads"),
    ("gradients", None, "nothing is learned",         "learn(grads)", "pass"),
    ("mean_squares", None, "the sum for the mean",  "squares / count", "squares"),
    ("mean_squares", None, "the last segment only", "total[path] += np.square", "total[path] = np.square"),
    ("Adaptation.__init__", "F1", "the pull may pass the origin", ", 1.0)", ", np.inf)"),
    ("Adaptation.__init__", None, "squares for their roots",      "np.sqrt(square)", "square"),
    ("Adaptation.__init__", None, "another epsilon",              "epsilon=2e-5", "epsilon=2e-4"),
    ("Adaptation.update", None, "pushed away",
     "self.origin[path] - parameter.value", "parameter.value - self.origin[path]"),
    ("Adaptation.update", "F2", "nothing draws back",
     "parameter.value += (back -", "parameter.value += (0 * back -"),
    ("Adaptation.update", "F2", "rms is not used",
     "/ (self.rms[path] + self.epsilon)", "/ (1 + self.epsilon)"),
    ("Adaptation.update", None, "u is not bounded",          "if self.bound is not None:", "if False:"),
    ("Adaptation.update", None, "gradients are not clipped", "clip_values(self.parameters, grads, CLIP)", "pass"),
    ("Adaptation.undo", None, "nothing comes back", "parameter.value[...] = self.origin[path]", "pass"),
    ("evaluate_dynamically", None, "the network stays changed", "adaptation.undo()", "pass"),
    ("evaluate_dynamically", None, "u is not bounded",          "bound=network.bound", "bound=None"),
]
