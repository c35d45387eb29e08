"""Faults of minindrnn/training/step.py; `mutation` says what a row is."""

TESTS = [
    "test_twelve_updates_are_those_of_the_loop",
    "test_the_history_has_a_row_for_each_evaluation_with_the_mean_loss_since_the_last",
    "test_states_go_on_from_batch_to_batch_and_start_anew",
    "test_the_step_alone_is_clipped_to_ten_and_bounds_u_only_if_asked",
    "test_a_wrong_bound_or_penalty_is_named_before_anything_changes",
]

OTHER = [
    ("expect_options", None, "any penalty", 'expect_number("penalty", penalty, 0)', "pass"),
    ("expect_options", None, "any bound",   "if bound is not None or penalty:", "if False:"),
    ("train_step", None, "no dropout in any training run",         "start=start, rng=rng, ranks", "start=start, ranks"),
    ("train_step", None, "normalised by the running statistics",   'statistics="batch"', 'statistics="running"'),
    ("train_step", None, "every batch from nothing",
     "network.forward(x, state,", "network.forward(x, None,"),
    ("train_step", None, "every batch is the first",
     "start=start, rng=rng, ranks", "start=0, rng=rng, ranks"),
    ("train_step", None, "padding is read",
     "lengths=lengths, statistics", "lengths=None, statistics"),
    ("train_step", None, "gradients are not clipped",
     "clip_values(optimiser.parameters, grads, clip)", "pass"),
    ("train_step", None, "clipped after the update",
     "clip_values(optimiser.parameters, grads, clip)\noptimiser.update(grads, rate)",
     "optimiser.update(grads, rate)\nclip_values(optimiser.parameters, grads, clip)"),
    ("train_step", None, "another limit by default",               "clip=10.0", "clip=1.0"),
    ("train_step", None, "running statistics stay what they were", "network.absorb(cache)", "pass"),
    ("train_step", None, "the plain average for the running one",
     "network.absorb(cache)", "network.absorb(cache, average=True)"),
    ("train_step", None, "u is never bounded",
     "if bound is not None and not penalty:", "if False:"),
    ("train_step", None, "u is bounded beside the penalty",
     "if bound is not None and not penalty:", "if bound is not None:"),
    ("train_step", None, "u is bounded before the update",
     "optimiser.update(grads, rate)\n"
     "network.absorb(cache)\n"
     "if bound is not None and not penalty:\n"
     "    bounds.project(optimiser.parameters, bound)",
     "bounds.project(optimiser.parameters, bound) if bound is not None and not penalty else None\n"
     "optimiser.update(grads, rate)\n"
     "network.absorb(cache)"),
    ("train_step", None, "the penalty is no part of the loss",     "value += penalty * excess", "pass"),
    ("train_step", None, "the penalty has no gradient",            "grad += grad.dtype.type(penalty) * du", "pass"),
    ("train_step", None, "the penalty whatever it weighs",         "grad.dtype.type(penalty) * du", "du"),
    ("train_step", None, "the state is lost",
     "return value, network.last_state(cache)", "return value, None"),
]

RANKS = [
    ("train_step", None, "nobody shares",             "rng=rng, ranks=ranks)", "rng=rng)"),
    ("train_step", None, "gradients of one rank",
     "ranks.sum_in_place([grad for _, _, grad in matched(optimiser.parameters, grads)])", "pass"),
    ("train_step", None, "the loss of one rank",      "float(ranks.sum(value))", "float(value)"),
    ("train_step", None, "the loss of the parts is not weighed",
     "ranks.weigh(counted(target), *loss(y, target))", "loss(y, target)"),
    ("train_step", None, "the penalty is counted by every rank", "value = float(ranks.sum(value))",
     "for _, parameter, grad in matched(optimiser.parameters, grads) if penalty else ():\n"
     "    if parameter.role == 'recurrent':\n"
     "        grad += penalty * bounds.penalty(parameter.value, bound)[1]\n"
     "value = float(ranks.sum(value))"),
]
