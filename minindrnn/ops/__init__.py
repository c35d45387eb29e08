"""One operation, one file: letters, equations, forward, backward, kernels, and a thin layer. Start with `recurrence`.

    recurrence      h[t] = act(a[t] + u h[t-1]): the operation that all of this is about; fast, and for later:
                    `recurrence_kernels`
    activations     relu, tanh, sigmoid, identity, and their derivatives from the output; `tanh_sigmoid`: their arithmetic
    linear          W x + b, all steps in one matrix product
    bounds          the range of u: what is remembered, what explodes
    batchnorm       batch normalisation over time and per step
    layernorm       layer normalisation
    dropout         one mask for a whole sequence
    embedding       vectors for tokens
    deltas          features, and how they change from step to step
    losses          mean squared error, softmax cross-entropy
    rnn, lstm, gru  the baselines; skip them on first reading

Operations import from `core` and from each other, nothing else of the package.
"""
